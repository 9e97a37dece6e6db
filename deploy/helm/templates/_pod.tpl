{{- define "co-rewarding.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where a part may run: include "co-rewarding.scheduling" (list $ "api") */}}
{{- define "co-rewarding.scheduling" -}}
{{- $part := index (first .).Values (last .) -}}
{{- with $part.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with (first .).Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Even over zones and nodes, counting the pods of one version alone, so that a roll-out ends spread too. */}}
{{- define "co-rewarding.spread" -}}
{{- $labels := include "co-rewarding.selector" . }}
{{- range (first .).Values.topologySpread }}
- {{ toYaml . | nindent 2 | trim }}
  labelSelector:
    matchLabels:
      {{- $labels | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end -}}

{{/* A volume over a claim: include "co-rewarding.claimed" (list $ "weights" storage) */}}
{{- define "co-rewarding.claimed" -}}
name: {{ index . 1 }}
persistentVolumeClaim:
  claimName: {{ default (printf "%s-%s" (include "co-rewarding.fullname" (first .)) (index . 1)) (last .).existingClaim }}
{{- end -}}

{{- define "co-rewarding.storeEnv" -}}
- {name: CO_REWARDING_REDIS_URL, value: {{ include "co-rewarding.storeUrl" . | quote }}}
{{- if or .Values.store.bundled .Values.store.password }}
- {name: CO_REWARDING_REDIS_PASSWORD_FILE, value: /run/secrets/co-rewarding/redis_password}
{{- end }}
{{- end -}}

{{- define "co-rewarding.metricsEnv" -}}
- {name: CO_REWARDING_METRICS_HOST, value: 0.0.0.0}
- {name: CO_REWARDING_METRICS_PORT, value: "9100"}
{{- end -}}

{{/* Not empty if the teacher averages weights: a model at a URL stays what it is. */}}
{{- define "co-rewarding.averages" -}}
{{- if and .Values.teacher.enabled (not (hasPrefix "openai:" .Values.teacher.model)) -}}yes{{- end -}}
{{- end -}}
