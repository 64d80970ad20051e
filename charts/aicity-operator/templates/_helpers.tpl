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
