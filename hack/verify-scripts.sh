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
go run "github.com/rhysd/actionlint/cmd/actionlint@$1"
echo "workflows are clean"
