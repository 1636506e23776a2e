#!/usr/bin/env bash
# Writes go.mod for a version of Kubernetes: k8s.io/kubernetes needs a replace directive
# for each of its staging modules, and its own go.mod says which they are.
# usage: modules.sh v1.36.3 DIRECTORY-WITH-main.go
set -euo pipefail
version=$1
staging=v0.${version#v1.}
cd "$2"
upstream=$(go mod download -json "k8s.io/kubernetes@$version" | jq -r .GoMod)
{
  echo "module kind.local/kubernetes"
  awk '$1 == "go" { print "go", $2 }' "$upstream"
  echo "require k8s.io/kubernetes $version"
  echo "replace ("
  # Also itself: for a package that this version lacks, Go would take the newest one.
  echo "k8s.io/kubernetes => k8s.io/kubernetes $version"
  awk -v version="$staging" '$2 == "=>" && $3 ~ /^\.\/staging/ { print $1, "=>", $1, version }' "$upstream"
  echo ")"
} >go.mod
go mod tidy
