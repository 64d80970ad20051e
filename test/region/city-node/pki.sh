# Certificates and credentials. Made once and kept with the data; only the API server's certificate is made
# again, when the city's names or addresses change.

# The node's address is on the loopback interface, so that nothing inside depends on an outer network that a
# partition may take away. Without the privilege to add it (a control plane alone), the outer address serves.
choose_node_address() {
  node_address=10.41.0.1
  ip addr replace "$node_address/32" dev lo 2>/dev/null && return
  [ -z "$agent" ] || fail 'a node needs a privileged container (docker run --privileged)'
  node_address=$(outer_addresses | head -n 1)
}

outer_addresses() {
  ip -4 -o addr show scope global | awk '$2 !~ /^(lo|cni|veth)/ { split($4, a, "/"); print a[1] }' | sort -u
}

# authority FILE NAME
authority() {
  [ -s "$pki/$1.crt" ] && return
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout "$pki/$1.key" -out "$pki/$1.crt" 2>/dev/null
}

# certificate FILE AUTHORITY SUBJECT USAGE [ALTERNATIVE-NAMES] : nothing happens when it is there with these names.
certificate() {
  local file=$pki/$1 authority=$pki/$2 names=${5:-}
  [ -s "$file.crt" ] && [ "$(cat "$file.names" 2>/dev/null)" = "$names" ] && return
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" \
    -keyout "$file.key.new" -out "$file.csr" 2>/dev/null
  {
    echo 'keyUsage=critical,digitalSignature'
    echo "extendedKeyUsage=$4"
    [ -z "$names" ] || echo "subjectAltName=$names"
  } >"$file.extensions"
  openssl x509 -req -in "$file.csr" -CA "$authority.crt" -CAkey "$authority.key" -set_serial "0x$(openssl rand -hex 16)" \
    -days 3650 -extfile "$file.extensions" -out "$file.crt.new" 2>/dev/null
  mv "$file.key.new" "$file.key"
  mv "$file.crt.new" "$file.crt"
  rm -f "$file.csr" "$file.extensions"
  echo "$names" >"$file.names"
}

make_serving_certificate() {
  local names="DNS:localhost,DNS:$node_name,DNS:$(hostname),IP:127.0.0.1,IP:::1,IP:$node_address,IP:$first_service_address" name
  names+=,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
  for name in ${tls_names[@]+"${tls_names[@]}"} $(outer_addresses); do
    case $name in
      *:*) names+=,IP:$name ;;
      *[!0-9.]*) names+=,DNS:$name ;;
      *) names+=,IP:$name ;;
    esac
  done
  certificate apiserver ca /CN=kube-apiserver serverAuth "$names"
}

make_certificates() {
  authority ca kubernetes-ca
  authority front-proxy-ca front-proxy-ca
  make_serving_certificate
  certificate kubelet-client ca /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  certificate front-proxy-client front-proxy-ca /CN=front-proxy-client clientAuth
  certificate admin ca /O=system:masters/CN=system:admin clientAuth
  certificate controller-manager ca /CN=system:kube-controller-manager clientAuth
  certificate scheduler ca /CN=system:kube-scheduler clientAuth
  if [ -n "$agent" ] || [ "$fake_nodes" != 0 ]; then
    certificate node ca "/CN=$node_name" serverAuth \
      "DNS:$node_name,DNS:localhost,DNS:metrics-server.kube-system.svc,IP:$node_address,IP:127.0.0.1"
  fi
  if [ -n "$agent" ]; then
    certificate kubelet ca "/O=system:nodes/CN=system:node:$node_name" clientAuth
    certificate proxy ca /CN=system:kube-proxy clientAuth
  fi
  if [ ! -s "$pki/service-account.key" ]; then
    openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$pki/service-account.key"
    openssl pkey -in "$pki/service-account.key" -pubout -out "$pki/service-account.pub"
  fi
}

make_kubeconfigs() {
  kubeconfig admin /etc/rancher/k3s/k3s.yaml
  kubeconfig controller-manager "$pki/controller-manager.kubeconfig"
  kubeconfig scheduler "$pki/scheduler.kubeconfig"
  [ -n "$agent" ] || return
  kubeconfig kubelet "$pki/kubelet.kubeconfig"
  kubeconfig proxy "$pki/proxy.kubeconfig"
}

# kubeconfig CERTIFICATE FILE
kubeconfig() {
  (
    umask 077
    cat >"$2" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    certificate-authority-data: $(base64 -w0 "$pki/ca.crt")
    server: https://127.0.0.1:6443
contexts:
- name: default
  context: {cluster: default, user: default}
current-context: default
users:
- name: default
  user:
    client-certificate-data: $(base64 -w0 "$pki/$1.crt")
    client-key-data: $(base64 -w0 "$pki/$1.key")
YAML
  )
}
