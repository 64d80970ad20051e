# The node: control groups, containerd, kubelet, service proxy and policy enforcement.

prepare_node() {
  mkdir -p /var/lib/kubelet /etc/cni/net.d /run/containerd
  mount --make-rshared /
  echo 1 >/proc/sys/net/ipv4/ip_forward
  # The tree of the machine is mounted here, so paths inside and outside agree.
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    control_group=$(sed -n 's/^0:://p' /proc/self/cgroup)
    hand_down_controllers "/sys/fs/cgroup${control_group%/}"
  else
    control_group=$(awk -F: '$2 ~ /(^|,)memory(,|$)/ { print $3 }' /proc/self/cgroup)
  fi
}

# In cgroup v2 a group with processes of its own cannot hand controllers to the groups below it: the city's own
# processes move down one level first.
hand_down_controllers() {
  local group=$1 process controller
  mkdir -p "$group/init"
  for process in $(cat "$group/cgroup.procs"); do echo "$process" >"$group/init/cgroup.procs" 2>/dev/null; done
  for controller in $(cat "$group/cgroup.controllers"); do echo "+$controller" >"$group/cgroup.subtree_control" 2>/dev/null; done
}

start_containerd() {
  cat >/etc/cni/net.d/10-city.conflist <<JSON
{
  "cniVersion": "0.4.0",
  "name": "city",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": true,
      "ipam": {
        "type": "host-local",
        "dataDir": "/var/lib/cni/networks",
        "ranges": [[{"subnet": "${pod_range%.*.*}.0.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
  # restrict_oom_score_adj: the root user of some machines may not lower a process's out-of-memory score.
  cat >/etc/containerd.toml <<TOML
version = 3
root = "$data/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.tracing", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "localhost/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "/etc/cni/net.d"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
TOML
  keep containerd --config /etc/containerd.toml
  import_images &
}

import_images() {
  local archive
  wait_until containerd 60 ctr version
  for archive in /opt/city/images/*.tar "$data"/agent/images/*.tar; do
    [ -f "$archive" ] || continue
    ctr -n k8s.io images import "$archive" >>"$logs/images.log" 2>&1 || say "image archive not imported: $archive"
  done
  touch "$run/images-imported"
}

start_node() {
  cat >/etc/kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: $control_group
clusterDNS: [$dns_address]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
failCgroupV1: false
failSwapOn: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 5s
readOnlyPort: 0
resolvConf: ""
tlsCertFile: $pki/node.crt
tlsPrivateKeyFile: $pki/node.key
YAML
  cat >/etc/kube-proxy.yaml <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $pki/proxy.kubeconfig}
clusterCIDR: $pod_range
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
healthzBindAddress: 127.0.0.1:10256
hostnameOverride: $node_name
metricsBindAddress: 127.0.0.1:10249
mode: nftables
nftables: {minSyncPeriod: 100ms}
nodePortAddresses: [0.0.0.0/0]
YAML
  wait_until 'image import' 120 test -e "$run/images-imported"
  keep kubelet --config=/etc/kubelet.yaml --kubeconfig="$pki/kubelet.kubeconfig" --cert-dir="$pki" \
    --hostname-override="$node_name" --node-ip="$node_address" \
    --node-labels="node.kubernetes.io/instance-type=city$node_labels" ${kubelet_args[@]+"${kubelet_args[@]}"}
  keep kube-proxy --config=/etc/kube-proxy.yaml
}

node_ready() { [ "$(kubectl get node "$node_name" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }

# The number of GPUs is in a file, so that it can be changed from outside and outlives a restart. A kubelet that
# starts again may forget what it did not discover itself; this puts it back.
advertise_gpus() {
  local wanted
  [ -s "$data/gpus" ] || [ -z "${CITY_GPUS:-}" ] || echo "$CITY_GPUS" >"$data/gpus"
  wanted=$(cat "$data/gpus" 2>/dev/null) || return 0
  api "/api/v1/nodes/$node_name" | grep -q "\"nvidia.com/gpu\": \"$wanted\"" && return
  api "/api/v1/nodes/$node_name/status" -X PATCH -H 'Content-Type: application/strategic-merge-patch+json' -o /dev/null \
    -d "{\"status\":{\"capacity\":{\"nvidia.com/gpu\":\"$wanted\"},\"allocatable\":{\"nvidia.com/gpu\":\"$wanted\"}}}"
}
