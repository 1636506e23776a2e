#!/usr/bin/env bash
# Prints what CHANGELOG.md says of a version, such as v1.2.3. It must say something: a
# section "## v1.2.3", which "## Unreleased" becomes with the release.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$1
notes=$(awk -v wanted="## $version" '
  /^## / { inside = ($0 == wanted || index($0, wanted " ") == 1); next }
  inside' "${CHANGELOG:-CHANGELOG.md}")
if [ -z "${notes//[[:space:]]/}" ]; then
  echo "CHANGELOG.md has no section \"## $version\" that says what is new" >&2
  exit 1
fi
printf '%s\n' "$notes"
