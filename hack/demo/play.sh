#!/usr/bin/env bash
# The demo: a host cluster and three members on this machine, the federation
# installed and joined, the examples applied, and a look at what landed where.
#   hack/demo/demo.sh up     also when it is up already
#   hack/demo/demo.sh down
set -euo pipefail
cd "$(dirname "$0")/../.."

dir="${FEDCTL_DEMO_DIR:-$PWD/.local/demo}"
members=(member-1 member-2 member-3) # the last one has GPUs
namespace=kube-federation-system
fleet_port=26443 # of the API server of the fleet
export KUBECONFIG="$dir/kubeconfig"

bold='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

say() { printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"; }
host() { bin/kubernetes kubectl --context host "$@"; }
member() { local name=$1; shift; bin/kubernetes kubectl --context "$name" "$@"; }
fedctl() { bin/fedctl --host-cluster-context host "$@"; }

# show_kubectl CLUSTER ARG... and show_fedctl ARG... print a command and run it.
show_kubectl() { printf '\n%s$ kubectl --context %s%s\n' "$bold" "$*" "$plain"; member "$@"; }
show_fedctl() { printf '\n%s$ fedctl %s%s\n' "$bold" "$*" "$plain"; fedctl "$@"; }

# wait_for DESCRIPTION COMMAND...: runs the command until it succeeds, at most two minutes.
wait_for() {
  local what=$1 i; shift
  printf '    waiting until %s ' "$what"
  for i in $(seq 1 240); do
    if "$@" >/dev/null 2>&1; then printf 'ok\n'; return 0; fi
    [ $((i % 4)) -ne 0 ] || printf '.'
    sleep 0.5
  done
  printf '\n' >&2
  echo "error: waited two minutes until $what; the controller's log is $dir/controller.log" >&2
  exit 1
}

# pid_of NAME: the process that the demo has started as controller or fleet-api.
pid_of() {
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 1
  # The pid may be another program's by now.
  [ "$(readlink "/proc/$pid/exe" 2>/dev/null | sed 's/ (deleted)$//')" = "$PWD/bin/controller" ] || return 1
  echo "$pid"
}

stop() {
  local pid i
  pid=$(pid_of "$1") || return 0
  kill "$pid"
  for i in $(seq 1 50); do
    pid_of "$1" >/dev/null || return 0
    sleep 0.2
  done
  kill -9 "$pid"
}

# account_kubeconfig NAME: a kubeconfig of the host with a token of the service account
# fedctl-NAME.
account_kubeconfig() {
  local server token config="$dir/$1.kubeconfig"
  server=$(host config view --raw --minify -o 'jsonpath={.clusters[0].cluster.server}')
  host config view --raw --minify -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 -d >"$dir/host-ca.crt"
  token=$(host create token "fedctl-$1" -n $namespace --duration 720h)
  rm -f "$config"
  (umask 077 && touch "$config")
  {
    bin/kubernetes kubectl --kubeconfig "$config" config set-cluster host --server "$server" --certificate-authority "$dir/host-ca.crt" --embed-certs
    bin/kubernetes kubectl --kubeconfig "$config" config set-credentials "$1" --token "$token"
    bin/kubernetes kubectl --kubeconfig "$config" config set-context "$1" --cluster host --user "$1"
    bin/kubernetes kubectl --kubeconfig "$config" config use-context "$1"
  } >/dev/null
}

# start NAME FLAG...: the program as a process, with the token of its service account:
# local clusters have no kubelet that could run it as a Pod.
start() {
  local name=$1; shift
  stop "$name"
  account_kubeconfig "$name"
  setsid "$PWD/bin/controller" --kubeconfig "$dir/$name.kubeconfig" --log-format text --metrics-bind-address 127.0.0.1:0 --health-probe-bind-address 0 \
    "$@" >"$dir/$name.log" 2>&1 </dev/null &
  echo $! >"$dir/$name.pid"
  disown
}

# It is the only controller, and nobody would start it again after the machine has slept
# for longer than a Lease.
start_controller() { start controller --leader-elect=false --backup-filesystem-roots "$dir/backups"; }

# The API server of the fleet listens where the install command has said that it does.
start_fleet_api() {
  mkdir -p "$dir/certificates"
  local name
  for name in crt key; do
    (umask 077 && host -n $namespace get secret fedctl-fleet-api -o "jsonpath={.data.tls\.$name}" | base64 -d >"$dir/certificates/tls.$name")
  done
  start fleet-api --mode=fleet-api --fleet-api-bind-address "127.0.0.1:$fleet_port" --fleet-api-cert-dir "$dir/certificates"
}

fleet_served() { host get --raw /apis/fleet.fedctl.io/v1alpha1; }
let_in() { fedctl kubectl --cluster member-1 -- -n demo get pods; }

clusters_ready() {
  [ "$(host -n $namespace get kubefedclusters -o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True)" = "${#members[@]}" ]
}

# propagated succeeds when every federated object says that it has been propagated.
propagated() {
  local states
  states=$(host -n demo get federated -o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Propagation")].status}{" "}{.status.observedGeneration}{"="}{.metadata.generation}{"\n"}{end}') || return 1
  [ -n "$states" ] && ! grep -qvE '^True ([0-9]+)=\1$' <<<"$states"
}

gpu_pods_run() {
  [ "$(member member-3 -n demo get pods -l app=inference --field-selector status.phase=Running -o name | wc -l)" = 2 ]
}

web_runs() { member member-1 -n demo wait --for=condition=Available deployment/web --timeout 1s; }

# make_repository CLUSTER NAME: a directory of this machine to which the controller
# writes that cluster's backups, encrypted.
make_repository() {
  local cluster=$1 name=$2
  mkdir -p "$dir/backups"
  member "$cluster" -n demo get secret backups-password >/dev/null 2>&1 ||
    member "$cluster" -n demo create secret generic backups-password "--from-literal=password=$(head -c 24 /dev/urandom | base64)" >/dev/null
  member "$cluster" -n demo apply -f - <<EOF | sed "s/^/    $cluster: /"
apiVersion: backup.fedctl.io/v1alpha1
kind: BackupRepository
metadata:
  name: $name
spec:
  filesystem:
    path: $dir/backups/$cluster
  encryptionSecretRef:
    name: backups-password
EOF
}

# backed_up succeeds when the host has heard of a good run in every member.
backed_up() { [ "$(host -n demo get federatedbackup nightly -o 'jsonpath={range .status.clusters[*]}{.remoteStatus.lastSuccess.name}{"\n"}{end}' | grep -c .)" = "${#members[@]}" ]; }

up() {
  say "Starting a host cluster and three members, the last with GPUs (no containers needed)"
  mkdir -p "$dir"
  bin/fedctl local up --dir "$dir" --members ${#members[@]} --gpu-members 1 2>&1 | grep -v '^$' | sed '/^The host and/,$d;s/^/    /'

  say "Installing the federation into the host"
  fedctl install --without-controller --fleet-api --fleet-api-address "localhost:$fleet_port" | sed -n 's/.* created, .*/    the control plane: &/p'
  start_controller
  start_fleet_api
  for name in "${members[@]}"; do
    fedctl install --member "$name" | sed -n "s/.* created, .*/    the backup API in $name: &/p"
    fedctl join "$name" --cluster-context "$name" --fleet-access | sed -n 's/^.* has joined/    &/p'
  done
  host -n $namespace label --overwrite kubefedcluster member-3 accelerator=nvidia >/dev/null
  wait_for "all members are ready" clusters_ready
  show_fedctl get clusters

  say "Applying examples/"
  host apply -f examples/ | sed 's/^/    /'
  wait_for "everything has been propagated" propagated
  wait_for "the pods run" web_runs
  wait_for "the GPU pods run" gpu_pods_run

  say "What is where: every federated object, in every member"
  show_fedctl status -n demo
  say "What landed: each member's own objects, with its overrides"
  for name in "${members[@]}"; do
    show_kubectl "$name" -n demo get configmaps,deployments,backups.backup.fedctl.io -l kubefed.io/managed=true
  done
  say "Backups: a repository for each member, and one run now, beside the schedule"
  for name in "${members[@]}"; do
    fedctl install --member "$name" --backup-rights save >/dev/null
  done
  make_repository member-1 offsite
  make_repository member-2 offsite
  make_repository member-3 local-object-store
  for name in "${members[@]}"; do
    show_fedctl backup run nightly -n demo --cluster "$name" --wait
  done
  wait_for "the host has heard of all recovery points" backed_up
  show_fedctl backup status -n demo

  say "GPUs: a policy derives the tolerations from the taints of each member's nodes"
  show_fedctl top accelerators
  show_fedctl explain deployment/inference -n demo --cluster member-3
  show_kubectl member-3 -n demo get pods -l app=inference -o wide
  echo
  echo "The same pods without the policy stay Pending, although GPUs are free:"
  show_kubectl member-3 -n demo get pods -l app=inference-untolerated
  member member-3 -n demo get events --field-selector reason=FailedScheduling -o 'jsonpath={.items[-1:].message}'
  echo
  say "Policies: a team's token and sidecar in a Deployment that another team wrote"
  host -n demo get overridepolicies
  show_fedctl explain deployment/checkout -n demo

  say "The API of the fleet: members reached with the host's login, each with its own rights"
  wait_for "the host serves it" fleet_served
  printf '\n%s$ kubectl --context host get clusters.fleet.fedctl.io%s\n' "$bold" "$plain"
  host get clusters.fleet.fedctl.io
  show_fedctl kubectl --cluster member-1 -- auth whoami
  echo
  echo "Who may do anything in the host is nobody special in a member, until its administrator says so:"
  member member-1 create clusterrolebinding administrators-of-the-host --clusterrole view --group host:system:masters 2>/dev/null || true
  wait_for "member-1 lets the administrators of the host look" let_in
  show_fedctl kubectl --cluster member-1 -- -n demo get pods
  finish
}

finish() {
  say "The demo is running. Look around:"
  cat <<EOF
    export KUBECONFIG=$KUBECONFIG
    bin/fedctl status -n demo --watch --host-cluster-context host
    bin/kubernetes kubectl --context host -n demo edit federatedconfigmap web-settings
    bin/kubernetes kubectl --context member-1 -n demo delete deployment web      # comes back at once
    bin/fedctl local stop --dir $dir member-2       # the others go on; see fedctl status
    bin/fedctl local start --dir $dir member-2      # and it is brought up to date
    bin/fedctl kubeconfig > fleet.yaml              # all members, through the host
  The controller's log is $dir/controller.log, that of the fleet's API server $dir/fleet-api.log
  To remove everything: make demo-down
EOF
}

down() {
  stop controller
  stop fleet-api
  if [ -d "$dir" ]; then
    bin/fedctl local down --dir "$dir"
    rm -rf "$dir"
  fi
  echo "The demo is gone."
}

case "${1:-}" in
up) up ;;
down) down ;;
*)
  echo "usage: $0 up|down" >&2
  exit 2
  ;;
esac
