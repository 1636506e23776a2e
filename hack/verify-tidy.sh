#!/usr/bin/env bash
# Checks that go.mod and go.sum of every module are tidy. -e: a test of
# sigs.k8s.io/kubefed imports a package that controller-runtime has removed,
# which tidy reports although nothing here needs it.
set -euo pipefail
for module in . hack/kubernetes hack/kubefed hack/backup hack/catalog hack/image hack/helm hack/monitoring hack/release hack/kind/node-image; do
  if ! (cd "$module" && go mod tidy -e -diff 2>/tmp/fedctl-tidy.$$); then
    cat /tmp/fedctl-tidy.$$ >&2
    rm -f /tmp/fedctl-tidy.$$
    echo "go.mod or go.sum of module $module is not tidy: run go mod tidy -e there" >&2
    exit 1
  fi
  rm -f /tmp/fedctl-tidy.$$
done
echo "modules are tidy"
