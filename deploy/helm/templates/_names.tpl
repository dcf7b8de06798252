{{- define "kyujang.name" -}}
{{- if contains "kyujang" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-kyujang" (.Release.Name | trunc 32 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "kyujang.selector" -}}
app.kubernetes.io/name: kyujang
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "kyujang.labels" -}}
{{ include "kyujang.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "kyujang.registry" -}}
{{- with .Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}
{{- end }}

{{- define "kyujang.image" -}}
{{ include "kyujang.registry" . }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "kyujang.engineImage" -}}
{{- $usual := eq .Values.engine.kind "cpu" | ternary "vllm/vllm-openai-cpu:v0.32.0-x86_64" "vllm/vllm-openai:v0.33.0" -}}
{{ include "kyujang.registry" . }}{{ .Values.engine.image | default $usual }}
{{- end }}

{{- define "kyujang.secret" -}}
{{ .Values.secrets.existing | default (include "kyujang.name" .) }}
{{- end }}

{{- define "kyujang.dataClaim" -}}
{{ .Values.data.existingClaim | default (printf "%s-data" (include "kyujang.name" .)) }}
{{- end }}

{{- define "kyujang.modelsClaim" -}}
{{ .Values.engine.models.existingClaim | default (printf "%s-models" (include "kyujang.name" .)) }}
{{- end }}

{{/* What a pod of the image may do: nothing that it does not need. */}}
{{- define "kyujang.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "kyujang.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The folders of a container of the image. */}}
{{- define "kyujang.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /data}
{{- end }}

{{- define "kyujang.volumes" -}}
- name: tmp
  emptyDir: {}
- name: data
{{- if .Values.data.shared }}
  persistentVolumeClaim: {claimName: {{ include "kyujang.dataClaim" . }}}
{{- else }}
  emptyDir: {sizeLimit: {{ .Values.data.perPod }}}
{{- end }}
{{- end }}

{{/* The address of each replica: Kyujang chooses between them itself. */}}
{{- define "kyujang.engineUrls" -}}
{{- $name := include "kyujang.name" . -}}
{{- $urls := list -}}
{{- range until (int .Values.engine.replicas) -}}
{{- $urls = append $urls (printf "http://%s-engine-%d.%s-engine:8000" $name . $name) -}}
{{- end -}}
{{ join "," $urls }}
{{- end }}

{{/* Where API and workers find the database. */}}
{{- define "kyujang.serviceUrl" -}}
{{- if .Values.database.cloudNativePG.enabled }}
- name: KYUJANG_SERVICE_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "kyujang.secret" . }}, key: service-password}}
- name: KYUJANG_SERVICE_DATABASE_URL
  value: postgresql://kyujang_app:$(KYUJANG_SERVICE_PASSWORD)@{{ include "kyujang.name" . }}-db-rw:5432/kyujang
{{- else }}
- name: KYUJANG_SERVICE_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ include "kyujang.secret" . }}, key: database-service-url}}
{{- end }}
{{- end }}

{{/* What API and workers share. */}}
{{- define "kyujang.environment" -}}
{{ include "kyujang.serviceUrl" . | trim }}
{{- if .Values.engine.enabled }}
- name: KYUJANG_LLM_URL
  value: {{ include "kyujang.engineUrls" . }}
- name: KYUJANG_MAX_LORA_RANK
  value: {{ .Values.engine.maxLoraRank | quote }}
- name: KYUJANG_MAX_CPU_LORAS
  value: {{ .Values.engine.maxCpuLoras | quote }}
{{- end }}
{{- if or .Values.engine.enabled .Values.settings.KYUJANG_LLM_URL }}
- name: KYUJANG_LLM_KEY
  valueFrom: {secretKeyRef: {name: {{ include "kyujang.secret" . }}, key: engine-key}}
{{- else }}
- name: KYUJANG_ENGINE
  value: none
{{- end }}
{{- range $name, $key := .Values.secrets.variables }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ include "kyujang.secret" $ }}, key: {{ $key }}}}
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
