#!/usr/bin/env bash
# Builds a node image for kind from Debian packages and Go modules alone: no image is
# pulled from anywhere. README.md says what is in it and what it needs.
# usage: build.sh [VERSION-OF-KUBERNETES [NAME-OF-THE-IMAGE]]
#   KIND_VERSION=  version of kind whose node files are used
#   SUITE=         release of Debian
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
own=$(awk '$1 == "KUBERNETES_VERSION" { print $3 }' "$root/hack/kubernetes.mk")
version=${1:-$own}
image=${2:-fedctl/kind-node:$version}
kind_version=${KIND_VERSION:-v0.32.0}
suite=${SUITE:-bookworm}
base=fedctl/kind-node-base:$suite
programs=$root/bin/node
kubernetes=$programs/$version/kubernetes
work=$(mktemp -d)
node=kind-node-build-$$
trap 'docker rm -f "$node" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
# As the Makefile has it, so that what was compiled for other programs counts here.
export CGO_ENABLED=0 GOFLAGS=-trimpath

say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

# compile builds a program of the package in the working directory, with a name
# that it has when it is whole.
compile() { # NAME FLAG ...
  local name=$1
  shift
  go build "${@:1:$#-1}" -o "$name.new" "${@: -1}"
  mv "$name.new" "$name"
}

# Kubernetes' programs, of hack/kubernetes. For another version, its modules are
# worked out anew.
compile_kubernetes() {
  [ ! -e "$kubernetes" ] || return 0
  say "Kubernetes $version: compiling"
  local source=$root/hack/kubernetes package=k8s.io/component-base/version minor=${version#v*.}
  if [ "$version" != "$own" ]; then
    source=$work/source
    mkdir -p "$source"
    cp "$root"/hack/kubernetes/{main,node}.go "$source/"
    "$here/modules.sh" "$version" "$source"
  fi
  (cd "$source" && compile "$kubernetes" -tags node -ldflags "-s -w -X $package.gitVersion=$version \
    -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean" .)
}

# The program of pods, which is the pause image's, and CoreDNS.
compile_others() {
  say "CoreDNS and the program of pods: compiling"
  (cd "$root" && compile "$programs/pod" -ldflags '-s -w' ./hack/kind/pod)
  (cd "$here" && compile "$programs/coredns" -ldflags '-s -w' ./coredns)
}

install_debian() {
  ! docker image inspect "$base" >/dev/null 2>&1 || return 0
  say "Debian $suite: installing"
  local debian=$work/debian packages=systemd,systemd-sysv,iproute2,iptables,nftables,conntrack,ethtool,kmod,mount,procps,jq
  packages=$packages,containerd,runc,containernetworking-plugins,ca-certificates,curl
  if ! debootstrap --variant=minbase --include="$packages" "$suite" "$debian" >"$work/debootstrap.log" 2>&1; then
    tail -20 "$work/debootstrap.log" >&2
    exit 1
  fi
  rm -rf "$debian"/var/cache/apt/* "$debian"/var/lib/apt/lists/* "$debian"/usr/share/{doc,man,locale}
  tar -C "$debian" -c . | docker import - "$base" >/dev/null
  rm -rf "$debian"
}

# All of the control plane and kube-proxy are one image, with iptables and the
# libraries that it loads beside the program.
components_tar() {
  docker exec "$node" bash -ec 'cd /; shopt -s nullglob
    programs=(usr/sbin/xtables-{nft,legacy}-multi) files=(etc/alternatives/ip{,6}tables*)
    for f in usr/sbin/ip{,6}tables{,-nft,-legacy}{,-save,-restore} usr/sbin/{nft,conntrack} bin sbin lib lib64; do
      if [ -e "$f" ]; then files+=("$f"); fi
    done
    for f in usr/sbin/{nft,conntrack}; do if [ -e "$f" ]; then programs+=("$f"); fi; done
    libraries=$(ldd "${programs[@]}" usr/lib/*/xtables/*.so | grep -o "/[^ )]*\.so[^ )]*" | grep -v xtables/ | sort -u)
    for library in $libraries; do
      link=$(realpath "$(dirname "$library")")/$(basename "$library") real=$(realpath "$library")
      files+=("${link#/}" "${real#/}")
    done
    printf "%s\n" "${programs[@]}" usr/lib/*/xtables "${files[@]}" | sort -u | tar -c -T -' >"$work/components.tar"
  local into=$work/components name
  mkdir -p "$into"/{usr/local/bin,tmp,run,var,etc/ssl}
  cp "$kubernetes" "$into/usr/local/bin/kubernetes"
  for name in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
    ln -s kubernetes "$into/usr/local/bin/$name"
  done
  tar -C "$into" -rf "$work/components.tar" .
}

# The images that kubeadm wants, under its names, into images.tar.
make_images() {
  say "images of the control plane"
  ln -sf kubernetes "$programs/$version/kubeadm"
  local wanted name
  mapfile -t wanted < <("$programs/$version/kubeadm" config images list --kubernetes-version "$version" 2>/dev/null)
  [ "${#wanted[@]}" -ge 7 ] || { echo "kubeadm lists no images" >&2; exit 1; }
  components_tar
  docker import --change 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin' "$work/components.tar" "$node-components" >/dev/null
  tar -C "$programs" -c pod | docker import --change 'ENTRYPOINT ["/pod"]' - "$node-pause" >/dev/null
  tar -C "$programs" -c coredns | docker import --change 'ENTRYPOINT ["/coredns"]' - "$node-coredns" >/dev/null
  for name in "${wanted[@]}"; do
    case $name in
    */pause:*) docker tag "$node-pause" "$name"; pause=$name ;;
    */coredns:*) docker tag "$node-coredns" "$name" ;;
    *) docker tag "$node-components" "$name" ;;
    esac
  done
  docker save -o "$work/images.tar" "${wanted[@]}"
  docker rmi "${wanted[@]}" "$node"-{components,pause,coredns} >/dev/null
}

# What kind's own node image has, from kind's module, and the images.
make_node() {
  say "the node"
  local files
  files=$(cd "$work" && go mod download -json "sigs.k8s.io/kind@$kind_version" | jq -r .Dir)/images/base/files
  tar -C "$files" -c --mode=u+w,a+rX --owner=0 --group=0 etc kind usr | docker exec -i "$node" tar -x -C /
  tar -C "$here/node" -c --owner=0 --group=0 . | docker exec -i "$node" tar -x -C /
  docker cp "$kubernetes" "$node:/usr/bin/kubernetes" >/dev/null
  docker cp "$work/images.tar" "$node:/images.tar" >/dev/null
  docker exec -i -e version="$version" -e pause="$pause" "$node" bash -e <"$here/setup.sh"
  docker commit "$node" "$image-layers" >/dev/null
  docker build -q -t "$image" - >/dev/null <<END
FROM $image-layers
ENV container=docker
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]
END
  docker rmi "$image-layers" >/dev/null
}

for program in docker debootstrap go jq tar; do
  command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 1; }
done
mkdir -p "$programs/$version"
compile_kubernetes
compile_others
install_debian
docker run -d --name "$node" --privileged --cgroupns=private --tmpfs /tmp --tmpfs /run -v /lib/modules:/lib/modules:ro \
  --entrypoint sleep "$base" infinity >/dev/null
make_images
make_node
say "built $image ($(docker image inspect -f '{{.Size}}' "$image" | awk '{ printf "%d MB", $1 / 1e6 }'))"
