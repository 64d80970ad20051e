{{- /* Labels of every object; the ones that identify it win over the user's own. */}}
{{- define "aicity-operator.labels" -}}
{{- $own := dict
      "app.kubernetes.io/name" "aicity-operator"
      "app.kubernetes.io/instance" .Release.Name
      "app.kubernetes.io/version" .Chart.AppVersion
      "app.kubernetes.io/managed-by" .Release.Service
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") }}
{{- mergeOverwrite (deepCopy .Values.labels) $own | toYaml }}
{{- end }}

{{- /* Labels by which the pods of the operator are found; they never change. */}}
{{- define "aicity-operator.selector" -}}
app.kubernetes.io/name: aicity-operator
{{- end }}

{{- /* An image behind the registry that all images come from: list of the root context and the image. */}}
{{- define "aicity-operator.image" -}}
{{- $registry := (index . 0).Values.images.registry -}}
{{- if $registry }}{{ $registry }}/{{ end }}{{ index . 1 }}
{{- end }}

{{- /* The Secret that leads to the hub: the user's own, or the one that the chart makes. */}}
{{- define "aicity-operator.hubSecret" -}}
{{- with .Values.city }}
{{- if and .hub.kubeconfigSecret (or .hub.server .hub.caData .hub.token) }}
{{- fail "city.hub.kubeconfigSecret is set together with city.hub.server, caData or token: give the Secret or the three values, not both." }}
{{- end }}
{{- if and .hub.server (not .hub.token) }}
{{- fail "city.hub.server is set without city.hub.token: take the token from Secret city-token in the city's namespace on the hub." }}
{{- end }}
{{- if and .hub.token (not .hub.server) }}
{{- fail "city.hub.token is set without city.hub.server: give the URL of the hub's API server, such as https://hub.example.org:6443." }}
{{- end }}
{{- if not (or .hub.kubeconfigSecret .hub.server) }}
{{- fail "city.name is set, but nothing leads to the hub: set city.hub.server and city.hub.token, or city.hub.kubeconfigSecret." }}
{{- end }}
{{- .hub.kubeconfigSecret | default "aicity-operator-hub" }}
{{- end }}
{{- end }}
