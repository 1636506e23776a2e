#!/usr/bin/env bash
# Runs inside the container that becomes the node: puts everything in its place and
# loads the images, which are in /images.tar. build.sh gives it version and pause.
set -euo pipefail

chmod 755 /usr/local/bin/* /kind/bin/*
for name in kubeadm kubelet kubectl; do ln -sf kubernetes "/usr/bin/$name"; done
for name in containerd containerd-shim-runc-v2 ctr; do ln -sf "/usr/bin/$name" "/usr/local/bin/$name"; done
mkdir -p /opt/cni /etc/kubernetes/manifests
ln -sfn /usr/lib/cni /opt/cni/bin
echo "${version:?}" >/kind/version
sed -i "s#sandbox_image = .*#sandbox_image = \"${pause:?}\"#" /etc/containerd/config.toml
# Root may lack the right to lower a process's oom_score_adj.
sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
sed -i 's#^KUBELET_EXTRA_ARGS=.*#& --config-dir=/etc/kubernetes/kubelet.conf.d#' /etc/default/kubelet
ctr oci spec | jq 'del(.process.rlimits)' >/etc/containerd/cri-base.json

# What a machine has and a container has not.
find /lib/systemd/system/sysinit.target.wants/ -name systemd-tmpfiles-setup.service -delete
rm -f /lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* /etc/systemd/system/*.wants/* \
  /lib/systemd/system/sockets.target.wants/*{udev,initctl}*
echo ReadKMsg=no >>/etc/systemd/journald.conf
systemctl enable kubelet.service containerd.service undo-mount-hacks.service
systemctl mask systemd-binfmt.service systemd-firstboot.service

containerd >/tmp/containerd.log 2>&1 &
for ((i = 0; i < 120; i++)); do if ctr version >/dev/null 2>&1; then break; fi; sleep 0.5; done
ctr -n k8s.io images import --label=io.cri-containerd.pinned=pinned --all-platforms --no-unpack --digests /images.tar
kill %1
wait || true
rm -f /images.tar
