#!/usr/bin/env bash
# Writes fedctl's completions for shells into a folder, and kubectl's for its plugin.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$1
rm -rf "$folder"
mkdir -p "$folder"
go build -o "$folder/fedctl" ./cmd/fedctl
for shell in bash zsh fish powershell; do
  extension=$shell
  [ "$shell" != powershell ] || extension=ps1
  "$folder/fedctl" completion "$shell" >"$folder/fedctl.$extension"
done
rm "$folder/fedctl"
# kubectl asks a program of this name, which is to be in PATH, to complete what follows
# "kubectl fed".
printf '#!/bin/sh\nexec kubectl fed __complete "$@"\n' >"$folder/kubectl_complete-fed"
