#!/usr/bin/env bash
# Packages the charts with a version, such as v1.2.3, into dist/charts, or $CHARTS; with a
# registry, such as oci://ghcr.io/fedctl/charts, it pushes them there. The file "pushed"
# beside them then has a line NAME@DIGEST for each. HELM_PUSH_FLAGS are for helm push.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$1 registry=${2:-} folder=${CHARTS:-$PWD/dist/charts}
helm() { go -C hack/helm tool helm "$@"; }

rm -rf "$folder"
mkdir -p "$folder"
for chart in fedctl-crds fedctl; do
  helm package "$PWD/charts/$chart" --version "${version#v}" --app-version "$version" --destination "$folder"
  [ -n "$registry" ] || continue
  # shellcheck disable=SC2086 # flags are words
  said=$(helm push "$folder/$chart-${version#v}.tgz" "$registry" ${HELM_PUSH_FLAGS:-} 2>&1) || { echo "$said" >&2; exit 1; }
  digest=$(sed -n 's/^Digest: *//p' <<<"$said")
  [ -n "$digest" ] || { echo "helm push told no digest: $said" >&2; exit 1; }
  echo "${registry#oci://}/$chart@$digest" | tee -a "$folder/pushed"
done
