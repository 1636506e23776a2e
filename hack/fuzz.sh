#!/usr/bin/env bash
# Runs every fuzz test of the module for the given time each (default 1m).
set -euo pipefail
time="${1:-1m}"
grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort -u | while IFS=: read -r file declaration; do
  name="${declaration#func }"
  echo "== $(dirname "$file") $name"
  go test "$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$time"
done
