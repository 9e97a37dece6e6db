{{- define "co-rewarding.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "co-rewarding.fullname" -}}
{{- $name := include "co-rewarding.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of a part: include "co-rewarding.selector" (list $ "api") */}}
{{- define "co-rewarding.selector" -}}
app.kubernetes.io/name: {{ include "co-rewarding.name" (first .) }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- define "co-rewarding.labels" -}}
{{ include "co-rewarding.selector" . }}
app.kubernetes.io/version: {{ (first .).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (first .).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (first .).Chart.Name (first .).Chart.Version }}
{{- end -}}

{{/* include "co-rewarding.metadata" (list $ "api" "suffix of the name") */}}
{{- define "co-rewarding.metadata" -}}
name: {{ include "co-rewarding.fullname" (first .) }}-{{ last . }}
labels:
  {{- include "co-rewarding.labels" (list (first .) (index . 1)) | nindent 2 }}
{{- end -}}

{{- define "co-rewarding.secret" -}}
{{- default (printf "%s-secret" (include "co-rewarding.fullname" .)) .Values.secret -}}
{{- end -}}

{{- define "co-rewarding.storeUrl" -}}
{{- if .Values.store.bundled -}}
redis://{{ include "co-rewarding.fullname" . }}-valkey:6379/0
{{- else -}}
{{- required "store.url: the URL of your Redis or Valkey, because store.bundled is false" .Values.store.url -}}
{{- end -}}
{{- end -}}

{{/* include "co-rewarding.image" (list $ image) */}}
{{- define "co-rewarding.image" -}}
{{- $image := last . -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default (first .).Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{/* Longest that a process may take to stop: shutdown_s, 5 s until the supervisor kills, and 5 s more. */}}
{{- define "co-rewarding.stopSeconds" -}}
{{- add (ceil (default 30.0 .Values.settings.shutdown_s)) 10 -}}
{{- end -}}
