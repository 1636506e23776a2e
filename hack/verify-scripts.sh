#!/usr/bin/env bash
# Checks the shell scripts with shellcheck and the workflows with actionlint,
# whose version is the argument.
set -euo pipefail
if command -v shellcheck >/dev/null; then
  git ls-files '*.sh' .ci/run | xargs shellcheck
  echo "scripts are clean"
else
  echo "shellcheck is not installed (apt-get install shellcheck): scripts are not checked"
fi
if git grep -nE '^[^#]*uses: +[^.]' -- .github | grep -vE '@[0-9a-f]{40}( |$)'; then
  echo "an action is to be named by the digest of its commit: tags can be moved" >&2
  exit 1
fi
go run "github.com/rhysd/actionlint/cmd/actionlint@$1"
echo "workflows are clean"
