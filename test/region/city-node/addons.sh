# Name service, resource metrics and policy enforcement run as the city's own programs behind ordinary Services,
# so that a new city needs no pods before it is of use.

corefile() {
  local servers
  servers=$(awk '$1 == "nameserver" { printf " %s", $2 }' /etc/resolv.conf)
  cat <<CONFIG
.:53 {
  bind $node_address
  errors
  health 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig /etc/rancher/k3s/k3s.yaml default
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
    ttl 5
  }
  ${servers:+forward .$servers}
  cache 10
  loadbalance
  reload 2s
}
CONFIG
}

refresh_corefile() {
  corefile | cmp -s - /etc/Corefile && return
  corefile >/etc/Corefile.new
  mv /etc/Corefile.new /etc/Corefile
}

start_addons() {
  refresh_corefile
  keep coredns -conf /etc/Corefile
  if [ -n "$metrics_server" ]; then
    keep metrics-server --kubeconfig="$KUBECONFIG" --authentication-kubeconfig="$KUBECONFIG" \
      --authorization-kubeconfig="$KUBECONFIG" --bind-address="$node_address" --secure-port=10246 \
      --tls-cert-file="$pki/node.crt" --tls-private-key-file="$pki/node.key" \
      --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
      --kubelet-use-node-status-port --kubelet-request-timeout=5s --metric-resolution=10s
  fi
  addon_manifests >"$run/addons.yaml"
  wait_until 'applying the add-ons' 60 kubectl apply --server-side --force-conflicts -f "$run/addons.yaml"
}

addon_manifests() {
  service kube-dns "clusterIP: $dns_address" '{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}'
  [ -n "$metrics_server" ] || return
  service metrics-server "" '{name: https, port: 10246, protocol: TCP}'
  cat <<YAML
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  caBundle: $(base64 -w0 "$pki/ca.crt")
  service: {name: metrics-server, namespace: kube-system, port: 10246}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: system:aggregated-metrics-reader
  labels:
    rbac.authorization.k8s.io/aggregate-to-admin: "true"
    rbac.authorization.k8s.io/aggregate-to-edit: "true"
    rbac.authorization.k8s.io/aggregate-to-view: "true"
rules:
- {apiGroups: [metrics.k8s.io], resources: [pods, nodes], verbs: [get, list, watch]}
YAML
}

# service NAME EXTRA-FIELD PORTS : a Service without selector whose one endpoint is the node itself.
service() {
  cat <<YAML
---
apiVersion: v1
kind: Service
metadata: {name: $1, namespace: kube-system, labels: {k8s-app: $1}}
spec:
  type: ClusterIP
  $2
  ports: [$3]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: $1-city
  namespace: kube-system
  labels: {kubernetes.io/service-name: $1, endpointslice.kubernetes.io/managed-by: city}
addressType: IPv4
ports: [$3]
endpoints: [{addresses: ["$node_address"], conditions: {ready: true}}]
YAML
}

metrics_available() {
  [ "$(kubectl get apiservice v1beta1.metrics.k8s.io -o 'jsonpath={.status.conditions[?(@.type=="Available")].status}')" = True ]
}

wait_for_node_and_addons() {
  wait_until "node $node_name" 120 node_ready
  say "node $node_name is ready"
  [ -z "$network_policy" ] || keep netpol --kubeconfig="$KUBECONFIG" --service-cidr="$service_range" --node="$node_name"
  wait_until 'name service' 60 curl --silent --fail http://127.0.0.1:8181/health
  [ -z "$metrics_server" ] || wait_until metrics-server 60 metrics_available
  advertise_gpus
}
