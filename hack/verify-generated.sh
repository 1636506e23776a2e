#!/usr/bin/env bash
# Generates everything again and compares. Files that differ are left as generated.
set -euo pipefail
cd "$(dirname "$0")/.."

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
mkdir -p "$before/pkg"
cp -r config "$before/config"
cp -r charts "$before/charts"
cp -r pkg/api "$before/pkg/api"

go run ./hack/generate

if ! diff -ru "$before/config" config || ! diff -ru "$before/charts" charts || ! diff -ru "$before/pkg/api" pkg/api; then
  echo "Generated files were not up to date; they are now: commit them." >&2
  exit 1
fi
echo "Generated files are up to date."
