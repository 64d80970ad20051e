# kwok plays nodes with GPUs, and the pods on them, beside a control plane. Its stages leave the nodes' heartbeats to leases:
# without these a node is taken for lost after a while, and its pods are no longer ready.

start_fake_nodes() {
  keep kwok --config=/opt/city/kwok.yaml --kubeconfig="$KUBECONFIG" --cidr=10.44.0.1/16 --node-lease-duration-seconds=40 \
    --manage-all-nodes=false --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake \
    --node-ip="$node_address" --node-port=10247 --server-address="$node_address:10247" \
    --tls-cert-file="$pki/node.crt" --tls-private-key-file="$pki/node.key"
  fake_node_manifests >"$run/fake-nodes.yaml"
  # Created, not applied: an apply leaves out the status. After a restart they are there already.
  kubectl create -f "$run/fake-nodes.yaml" >>"$logs/fake-nodes.log" 2>&1
  wait_until "$fake_nodes fake nodes" 300 all_fake_nodes_ready
  say "$fake_nodes fake nodes are ready"
}

all_fake_nodes_ready() { [ "$(kubectl get nodes -l type=kwok --no-headers | grep -c ' Ready ')" = "$fake_nodes" ]; }

fake_node_manifests() {
  local number name gpus=${CITY_GPUS:-8}
  for number in $(seq "$fake_nodes"); do
    name=$node_name-gpu-$number
    cat <<YAML
---
apiVersion: v1
kind: Node
metadata:
  name: $name
  annotations: {kwok.x-k8s.io/node: fake, metrics.k8s.io/resource-metrics-path: /metrics/nodes/$name/metrics/resource}
  labels: {kubernetes.io/hostname: $name, kubernetes.io/os: linux, kubernetes.io/arch: amd64, type: kwok}
status:
  addresses: [{type: InternalIP, address: $node_address}, {type: Hostname, address: $name}]
  allocatable: {cpu: "64", memory: 512Gi, pods: "110", nvidia.com/gpu: "$gpus"}
  capacity: {cpu: "64", memory: 512Gi, pods: "110", nvidia.com/gpu: "$gpus"}
  nodeInfo: {kubeletVersion: fake, operatingSystem: linux, architecture: amd64}
YAML
  done
}
