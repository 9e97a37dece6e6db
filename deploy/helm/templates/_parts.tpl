{{/* What each part's container runs, and how Kubernetes sees that it does. */}}

{{- define "co-rewarding.container.api" -}}
args: [serve, --workers, "0", --api-processes, {{ .Values.api.processes | toString | quote }}]
ports: [{name: http, containerPort: 8000}]
env:
  {{- include "co-rewarding.storeEnv" . | nindent 2 }}
  - {name: CO_REWARDING_HOST, value: 0.0.0.0}
  - {name: CO_REWARDING_PORT, value: "8000"}
  - {name: CO_REWARDING_API_KEYS_FILE, value: /run/secrets/co-rewarding/api_keys}
  {{- if .Values.weights.enabled }}
  - {name: CO_REWARDING_WEIGHTS_ROOT, value: /weights}
  {{- end }}
  {{- with .Values.api.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
startupProbe: {httpGet: {path: /health, port: http}, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 60}
livenessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
# A call waits redis_patience_s (5 s) for a store that is away: a shorter time-out would hide the reason.
readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 5, timeoutSeconds: 7, failureThreshold: 3}
# While it sleeps, the Service learns to send new connections elsewhere; then SIGTERM answers what is held.
lifecycle: {preStop: {exec: {command: [sleep, {{ .Values.api.preStopSeconds | toString | quote }}]}}}
{{- end -}}

{{- define "co-rewarding.container.worker" -}}
{{- $living := `["healthy", "http://127.0.0.1:9100/metrics", '^co_rewarding_processes\{role="worker"\} [1-9]']` -}}
args: [worker, --processes, {{ .Values.worker.processes | toString | quote }}]
ports: [{name: metrics, containerPort: 9100}]
env:
  {{- include "co-rewarding.storeEnv" . | nindent 2 }}
  {{- include "co-rewarding.metricsEnv" . | nindent 2 }}
  {{- with .Values.worker.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
startupProbe: {exec: {command: {{ $living }}}, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 60}
# The supervisor starts dead workers again by itself: the container is dead when the supervisor is.
livenessProbe: {httpGet: {path: /metrics, port: metrics}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
readinessProbe: {exec: {command: {{ $living }}}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3}
{{- end -}}

{{- define "co-rewarding.container.teacher" -}}
args: [teacher, --model, {{ required "teacher.model: a hub name, a folder, or openai:URL#MODEL" .Values.teacher.model | quote }}]
ports: [{name: metrics, containerPort: 9100}]
env:
  {{- include "co-rewarding.storeEnv" . | nindent 2 }}
  {{- include "co-rewarding.metricsEnv" . | nindent 2 }}
  {{- if .Values.weights.enabled }}
  - {name: CO_REWARDING_WEIGHTS_ROOT, value: /weights}
  {{- end }}
  - {name: CO_REWARDING_TEACHER_DIR, value: /teacher}
  - {name: HF_HOME, value: /models}
  {{- with .Values.teacher.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{ include "co-rewarding.modelProbes" .Values.teacher }}
{{- end -}}

{{- define "co-rewarding.container.paraphraser" -}}
args: [paraphraser, --model, {{ required "paraphraser.model: a hub name, a folder, or openai:URL#MODEL" .Values.paraphraser.model | quote }}]
ports: [{name: metrics, containerPort: 9100}]
env:
  {{- include "co-rewarding.storeEnv" . | nindent 2 }}
  {{- include "co-rewarding.metricsEnv" . | nindent 2 }}
  - {name: HF_HOME, value: /models}
  {{- with .Values.paraphraser.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{ include "co-rewarding.modelProbes" .Values.paraphraser }}
{{- end -}}

{{/* The metrics answer as soon as the process runs, and also while a model is loaded. */}}
{{- define "co-rewarding.modelProbes" -}}
startupProbe: {httpGet: {path: /metrics, port: metrics}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: {{ div .startSeconds 10 }}}
livenessProbe: {httpGet: {path: /metrics, port: metrics}, periodSeconds: 20, timeoutSeconds: 10, failureThreshold: 6}
readinessProbe: {httpGet: {path: /metrics, port: metrics}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3}
{{- end -}}
