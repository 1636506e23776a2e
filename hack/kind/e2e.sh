#!/usr/bin/env bash
# Runs the end-to-end suite on kind clusters: creates a host and members, loads the
# controller's image and those of the specs into them, joins the members over kind's
# network, runs the specs that need no local clusters, and deletes the clusters again.
# No image is pulled but that of the nodes, and where no registry gives it, it is made.
#
# Needs docker and Go; kind and kubectl are built where they are not installed, and so
# is the image of the nodes (hack/kind/node-image says what that needs).
#   MEMBERS=3           number of members; the specs need three
#   KIND_NODE_IMAGE=    node image, that is, the version of Kubernetes
#   IMAGE=              image of the controller; built if empty
#   KEEP=               anything: leave the clusters running
#   GINKGO_ARGS=        more flags for the suite, such as -ginkgo.focus=Placement
#   FEDCTL_E2E_PROGRAMS=  directory of fedctl and the controller; built if empty
#   LABELS='!local'     labels of the specs to run; kubelet: those that run only here
set -euo pipefail
cd "$(dirname "$0")/../.."

members=${MEMBERS:-3}
image=${IMAGE:-}
node_image=${KIND_NODE_IMAGE:-}
published=kindest/node:v1.36.1
kind_version=${KIND_VERSION:-v0.32.0}
prefix=fedctl-e2e
work=$(mktemp -d)
mkdir "$work/bin"
programs=${FEDCTL_E2E_PROGRAMS:-$work/bin}
export KUBECONFIG=$work/kubeconfig PATH=$PATH:$work/bin:$PWD/bin

names=(host)
for ((i = 1; i <= members; i++)); do names+=("member-$i"); done

say() { printf '%5d s  %s\n' "$SECONDS" "$*"; }
fail() { echo "$*" >&2; exit 1; }

# shellcheck disable=SC2329 # called by the trap
finish() {
  status=$?
  if [ "$status" -ne 0 ] && [ -e "$KUBECONFIG" ]; then
    echo "--- the end of the controller's log"
    kubectl --context host -n kube-federation-system logs -l app.kubernetes.io/name=fedctl-controller --tail=200 --prefix || true
    kubectl --context host get kubefedclusters -A -o wide || true
    kubectl --context host get pods -A -o wide || true
  fi
  if [ -n "${KEEP:-}" ]; then
    echo "The clusters are left running: export KUBECONFIG=$KUBECONFIG"
  else
    for name in "${names[@]}"; do kind delete cluster --name "$prefix-$name" --kubeconfig "$KUBECONFIG" || true; done
    rm -rf "$work"
  fi
  exit "$status"
}
trap finish EXIT

# Each node needs some 30 instances of inotify, and all nodes are one user's.
check_inotify() {
  local file=/proc/sys/fs/inotify/max_user_instances least=$((64 * ${#names[@]}))
  if [ -r "$file" ] && [ "$(cat "$file")" -lt "$least" ]; then
    fail "fs.inotify.max_user_instances is $(cat "$file"), and ${#names[@]} clusters need $least: sudo sysctl -w fs.inotify.max_user_instances=512"
  fi
}

find_programs() {
  for program in docker go; do
    command -v "$program" >/dev/null || fail "$program is not installed"
  done
  docker version >/dev/null || fail "the container engine does not answer"
  if ! command -v kind >/dev/null; then
    say "building kind $kind_version"
    GOBIN=$PWD/bin go install "sigs.k8s.io/kind@$kind_version"
  fi
  if ! command -v kubectl >/dev/null; then
    make bin/kubernetes
    ln -s "$PWD/bin/kubernetes" "$work/bin/kubectl"
  fi
}

find_node_image() {
  [ -z "$node_image" ] || return 0
  if docker image inspect "$published" >/dev/null 2>&1 || docker pull -q "$published"; then
    node_image=$published
    return
  fi
  node_image=fedctl/kind-node:$(awk '$1 == "KUBERNETES_VERSION" { print $3 }' hack/kubernetes.mk)
  say "no registry gives $published: nodes are of $node_image"
  docker image inspect "$node_image" >/dev/null 2>&1 || hack/kind/node-image/build.sh "" "$node_image"
}

# The program of pods, under its own name and under those of the pause images that
# specs run.
pod_images=(fedctl/pod:e2e registry.k8s.io/pause:3.9 registry.k8s.io/pause:3.10)
build_images() {
  if [ -z "$image" ]; then
    image=fedctl/controller:e2e
    make image IMAGE="$image" IMAGE_PLATFORMS="linux/$(go env GOARCH)"
    docker load --input dist/controller-image.tar
  fi
  CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/pod" ./hack/kind/pod
  tar -C "$work" -c pod | docker import --change 'ENTRYPOINT ["/pod"]' - "${pod_images[0]}" >/dev/null
  for name in "${pod_images[@]:1}"; do docker tag "${pod_images[0]}" "$name"; done
  docker save -o "$work/images.tar" "$image" "${pod_images[@]}"
}

# A machine that is busy needs longer than kubeadm waits by default.
create_clusters() {
  cat >"$work/kind.yaml" <<'END'
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
kubeadmConfigPatches:
- |
  kind: InitConfiguration
  timeouts: {controlPlaneComponentHealthCheck: 10m, kubeletHealthCheck: 10m, kubernetesAPICall: 5m}
END
  for name in "${names[@]}"; do
    kind create cluster --name "$prefix-$name" --image "$node_image" --config "$work/kind.yaml" --wait 5m
    kubectl config rename-context "kind-$prefix-$name" "$name"
    kind load image-archive "$work/images.tar" --name "$prefix-$name"
  done
  kubectl config use-context host
}

fedctl() { "$programs/fedctl" --host-cluster-context host "$@"; }
install() {
  [ -n "${FEDCTL_E2E_PROGRAMS:-}" ] || go build -o "$programs" ./cmd/fedctl ./cmd/controller
  fedctl install --image "$image" --fleet-api --wait 5m
  for name in "${names[@]:1}"; do
    # In kind's network the API server has another address than kind's kubeconfig has. This
    # one is reached from here as well, which commands like "fedctl diff" need: nobody here
    # knows the names of containers.
    endpoint=https://$(docker inspect -f '{{.NetworkSettings.Networks.kind.IPAddress}}' "$prefix-$name-control-plane"):6443
    fedctl install --member "$name"
    fedctl join "$name" --cluster-context "$name" --api-endpoint "$endpoint" --fleet-access
  done
}

check_inotify
find_programs
find_node_image
build_images
say "creating ${#names[@]} clusters"
create_clusters
say "installing the control plane"
install

export FEDCTL_E2E_KUBECONFIG=$KUBECONFIG FEDCTL_E2E_HOST=host FEDCTL_E2E_PROGRAMS=$programs
export FEDCTL_E2E_CONTAINERS=$prefix-CLUSTER-control-plane
FEDCTL_E2E_MEMBERS=$(IFS=,; echo "${names[*]:1}")
export FEDCTL_E2E_MEMBERS
say "running the specs"
# shellcheck disable=SC2086 # flags
go test ./test/e2e -count=1 -v -timeout 60m -ginkgo.label-filter="${LABELS:-!local}" ${GINKGO_ARGS:-}
say "done"
