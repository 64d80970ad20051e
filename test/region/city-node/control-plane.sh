# etcd, the API server, the controllers and the scheduler.

# api PATH [CURL-OPTION...] : one request to the API server as administrator.
api() {
  curl --silent --fail --max-time 5 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" \
    "https://127.0.0.1:6443$1" "${@:2}"
}

apiserver_ready() { [ "$(api /readyz)" = ok ]; }

start_etcd_and_apiserver() {
  # Without fsync a city starts and writes much faster; it survives killed processes, not a power cut.
  keep etcd --name=city --data-dir="$data/etcd" --unsafe-no-fsync --log-level=warn --auto-compaction-retention=1h \
    --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
    --initial-cluster=city=http://127.0.0.1:2380
  keep kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --advertise-address="$node_address" \
    --service-cluster-ip-range="$service_range" --allow-privileged=true --profiling=false \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --client-ca-file="$pki/ca.crt" \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$pki/service-account.pub" --service-account-signing-key-file="$pki/service-account.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
    --requestheader-client-ca-file="$pki/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --enable-aggregator-routing=true \
    --proxy-client-cert-file="$pki/front-proxy-client.crt" --proxy-client-key-file="$pki/front-proxy-client.key" \
    ${apiserver_args[@]+"${apiserver_args[@]}"}
}

# The default request rates suit clusters that are not in a hurry: a thousand pods would take minutes.
start_controllers() {
  local rates=(--kube-api-qps=500 --kube-api-burst=1000 --leader-elect=false --bind-address=127.0.0.1 --profiling=false)
  local credentials=$pki/controller-manager.kubeconfig
  keep kube-controller-manager "${rates[@]}" --kubeconfig="$credentials" \
    --authentication-kubeconfig="$credentials" --authorization-kubeconfig="$credentials" \
    --use-service-account-credentials=true --service-account-private-key-file="$pki/service-account.key" \
    --root-ca-file="$pki/ca.crt" --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
    --service-cluster-ip-range="$service_range" --cluster-cidr="$pod_range" \
    ${controller_args[@]+"${controller_args[@]}"}
  [ -n "$agent" ] || [ "$fake_nodes" != 0 ] || return
  credentials=$pki/scheduler.kubeconfig
  keep kube-scheduler "${rates[@]}" --kubeconfig="$credentials" \
    --authentication-kubeconfig="$credentials" --authorization-kubeconfig="$credentials" \
    ${scheduler_args[@]+"${scheduler_args[@]}"}
}

apply_manifests() {
  local file
  for file in "$data"/server/manifests/*.y*ml; do
    [ -f "$file" ] || continue
    kubectl apply --server-side --force-conflicts -f "$file" >>"$logs/manifests.log" 2>&1 || say "not applied: $file"
  done
}
