#!/usr/bin/env bash
# Runs every fuzz test of the module for the given time each (default 1m).
set -euo pipefail
time="${1:-1m}"
grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r package; do
  for name in $(grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' "$package" | sed 's/^func //' | sort -u); do
    echo "== $package $name"
    go test "$package" -run '^$' -fuzz "^$name\$" -fuzztime "$time"
  done
done
