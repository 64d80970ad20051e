#!/bin/bash
# Starts a single-node Kubernetes behind the outward contract of rancher/k3s:
#
#   server [--disable-agent] [--disable=metrics-server] [--disable-network-policy] [--tls-san=NAME,ADDRESS]
#          [--node-name=NAME] [--node-label=KEY=VALUE] [--cluster-cidr=RANGE] [--service-cidr=RANGE]
#          [--kube-apiserver-arg=KEY=VALUE] [--kube-controller-manager-arg=KEY=VALUE]
#          [--kube-scheduler-arg=KEY=VALUE] [--kubelet-arg=KEY=VALUE]
#
# Credentials in /etc/rancher/k3s/k3s.yaml, API on port 6443, images imported from
# /var/lib/rancher/k3s/agent/images/*.tar, manifests applied from /var/lib/rancher/k3s/server/manifests/*.yaml,
# and the log line 'Node controller sync successful' when all of it is up. With --disable-agent only the
# control plane runs, and no privileges are needed.
#
# Environment: CITY_GPUS=N advertises N nvidia.com/gpu on the node; CITY_FAKE_NODES=N has kwok play N nodes
# with GPUs beside a control plane. Process ids are in /run/city/PROGRAM.pid, logs in /var/log/city.
set -u

readonly data=/var/lib/rancher/k3s pki=/var/lib/rancher/k3s/pki logs=/var/log/city run=/run/city
readonly fake_nodes=${CITY_FAKE_NODES:-0}
tls_names=() apiserver_args=() controller_args=() scheduler_args=() kubelet_args=()
node_name=$(hostname) node_labels='' pod_range=10.42.0.0/16 service_range=10.43.0.0/16
agent=yes network_policy=yes metrics_server=yes

for library in supervise pki control-plane node addons fake-nodes; do . "/opt/city/$library.sh"; done

case ${1:-server} in
  server) shift || true ;;
  *) exec "$@" ;;
esac

while [ $# -gt 0 ]; do
  case $1 in
    --*=*) flag=${1%%=*} value=${1#*=}; shift ;;
    --disable-agent | --disable-network-policy | --debug | --cluster-init) flag=$1 value=true; shift ;;
    --*) flag=$1 value=${2:-}; shift; shift || true ;;
    *) fail "argument '$1' is not known; 'server' takes options only" ;;
  esac
  case $flag in
    --disable-agent) agent='' ;;
    --disable-network-policy) network_policy='' ;;
    --disable) [[ ,$value, == *,metrics-server,* ]] && metrics_server='' ;;
    --tls-san) IFS=, read -ra names <<<"$value"; tls_names+=("${names[@]}") ;;
    --node-name) node_name=$value ;;
    --node-label) node_labels+=,$value ;;
    --cluster-cidr) pod_range=$value ;;
    --service-cidr) service_range=$value ;;
    --kube-apiserver-arg) apiserver_args+=("--$value") ;;
    --kube-controller-manager-arg) controller_args+=("--$value") ;;
    --kube-scheduler-arg) scheduler_args+=("--$value") ;;
    --kubelet-arg) kubelet_args+=("--$value") ;;
    *) say "option $flag has no effect here" ;;
  esac
done
[ "$fake_nodes" = 0 ] || agent=''
readonly first_service_address=${service_range%.*}.1 dns_address=${service_range%.*}.10

trap stop_everything TERM INT
rm -rf "$run" /run/containerd /run/netns /var/lib/cni/networks
mkdir -p "$pki" "$data"/{etcd,agent/images,server/manifests} "$logs" "$run" /etc/rancher/k3s
choose_node_address
[ -z "$agent" ] || prepare_node

make_certificates
make_kubeconfigs
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml

start_etcd_and_apiserver
[ -z "$agent" ] || start_containerd
wait_until apiserver 900 apiserver_ready
say 'apiserver answers'
start_controllers
if [ -n "$agent" ]; then
  start_node
  start_addons
fi
[ "$fake_nodes" = 0 ] || start_fake_nodes
apply_manifests
[ -z "$agent" ] || wait_for_node_and_addons
touch "$run/up"
say 'all parts are up'
echo 'Node controller sync successful'

# What may change while a city runs: its addresses, its name servers, the GPUs that it is told to advertise.
while :; do
  make_serving_certificate
  if [ -n "$agent" ]; then
    refresh_corefile
    advertise_gpus
  fi
  sleep 3 &
  wait $!
done
