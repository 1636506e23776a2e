#!/usr/bin/env bash
# Builds the multi-call Kubernetes binary and shows how far it is.
# usage: build.sh VERSION OUTPUT
set -euo pipefail

version=$1
output=$(realpath -m "$2")
cd "$(dirname "$0")"

package=k8s.io/component-base/version
minor=${version#v*.}
ldflags="-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
# Fixed, so that the same source gives the same binary.
ldflags="$ldflags -X $package.gitCommit=unknown -X $package.gitTreeState=clean -X $package.buildDate=1970-01-01T00:00:00Z"
export CGO_ENABLED=0

work=$(mktemp -d)
build=
trap 'test -z "$build" || kill "$build" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "Building Kubernetes $version (etcd, kube-apiserver, controllers, scheduler, kwok, kubectl in one binary)."
echo "The first time this downloads and compiles for about 6 minutes on 2 cores; later it is a matter of seconds."
start=$SECONDS
go mod download
total=$(go list -deps -f '{{if .Stale}}x{{end}}' -trimpath . | grep -c x || true)

: >"$work/packages"
go build -v -trimpath -ldflags "$ldflags" -o "$work/kubernetes" . 2>"$work/packages" &
build=$!

# One line that changes on a terminal, a line every 20 seconds elsewhere.
every=20 return='' end='\n'
if [ -t 1 ]; then every=1 return='\r\033[K' end=''; fi
next=$((start + every))
while kill -0 "$build" 2>/dev/null; do
	sleep 1
	[ "$SECONDS" -ge "$next" ] || continue
	next=$((SECONDS + every))
	done=$(wc -l <"$work/packages")
	step="compiled $done of $total packages"
	if [ "$done" -ge "$total" ]; then step="linking"; fi
	# shellcheck disable=SC2059 # the format holds control characters
	printf "$return  %s, %d:%02d$end" "$step" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60))
done
# shellcheck disable=SC2059
printf "$return"
if ! wait "$build"; then
	build=
	# What is not a package's name is a message of the compiler.
	grep -vE '^[a-z0-9][A-Za-z0-9._~/-]*$' "$work/packages" >&2 || true
	echo "Building Kubernetes failed." >&2
	exit 1
fi
build=
mkdir -p "$(dirname "$output")"
# Renamed into place: a build that is broken off leaves no half binary, and
# clusters that run from the old one go on.
cp "$work/kubernetes" "$output.new"
mv "$output.new" "$output"
echo "Built $output in $((SECONDS - start)) s."
