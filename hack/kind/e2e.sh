#!/usr/bin/env bash
# Runs the end-to-end suite on kind clusters: creates a host and members, loads the
# controller's image into the host, joins the members over kind's network, runs the
# specs that need no local clusters, and deletes the clusters again.
#
# Needs docker, kind, kubectl and Go.
#   MEMBERS=3           number of members; the specs need three
#   KIND_NODE_IMAGE=    node image, that is, the version of Kubernetes; kind's default
#   IMAGE=              image of the controller; built if empty
#   KEEP=               anything: leave the clusters running
#   GINKGO_ARGS=        more flags for the suite, such as -ginkgo.focus=Placement
set -euo pipefail
cd "$(dirname "$0")/../.."

members=${MEMBERS:-3}
image=${IMAGE:-}
prefix=fedctl-e2e
work=$(mktemp -d)
export KUBECONFIG=$work/kubeconfig

for program in docker kind kubectl go; do
  command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 1; }
done

names=(host)
for ((i = 1; i <= members; i++)); do names+=("member-$i"); done

# shellcheck disable=SC2329 # called by the trap
finish() {
  status=$?
  if [ "$status" -ne 0 ]; then
    echo "--- the end of the controller's log"
    kubectl --context host -n kube-federation-system logs -l app.kubernetes.io/name=fedctl-controller --tail=200 --prefix || true
    kubectl --context host get kubefedclusters -A -o wide || true
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

if [ -z "$image" ]; then
  image=fedctl/controller:e2e
  make image IMAGE="$image" IMAGE_PLATFORMS="linux/$(go env GOARCH)"
  docker load --input dist/controller-image.tar
fi

for name in "${names[@]}"; do
  kind create cluster --name "$prefix-$name" ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"} --wait 3m
  kubectl config rename-context "kind-$prefix-$name" "$name"
done
kubectl config use-context host
kind load docker-image "$image" --name "$prefix-host"

go build -o "$work/fedctl" ./cmd/fedctl
fedctl() { "$work/fedctl" --host-cluster-context host "$@"; }
fedctl install --image "$image" --wait 3m

for name in "${names[@]:1}"; do
  # Inside kind's network the API server has another address than outside.
  endpoint=$(kind get kubeconfig --internal --name "$prefix-$name" | awk '$1 == "server:" { print $2 }')
  fedctl install --member "$name"
  fedctl join "$name" --cluster-context "$name" --api-endpoint "$endpoint"
done

export FEDCTL_E2E_KUBECONFIG=$KUBECONFIG FEDCTL_E2E_HOST=host
FEDCTL_E2E_MEMBERS=$(IFS=,; echo "${names[*]:1}")
export FEDCTL_E2E_MEMBERS
# shellcheck disable=SC2086 # flags
go test ./test/e2e -count=1 -v -timeout 30m -ginkgo.label-filter='!local' ${GINKGO_ARGS:-}
