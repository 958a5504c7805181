{{- define "artifacts.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "artifacts.allLabels" -}}
{{ include "artifacts.labels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "artifacts.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* Of every pod. With a shared process namespace the command is not process 1: as process 1,
Python would not end by a SIGTERM that comes before its handler is there. */}}
{{- define "artifacts.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
shareProcessNamespace: true
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.user.uid }}
  runAsGroup: {{ .Values.user.gid }}
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Of what talks to the broker alone: it needs a role only if the broker is Amazon SQS. */}}
{{- define "artifacts.brokerAccount" -}}
{{- with .Values.brokerServiceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- end }}

{{- define "artifacts.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "artifacts.temporary" -}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "artifacts.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Helm reads the numbers of a values file as floats, and writes large ones as 1.6777216e+07. */}}
{{- define "artifacts.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* The hook of the migration runs before the chart's own ConfigMap exists, so settings are here. */}}
{{- define "artifacts.settings" -}}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ include "artifacts.text" $value | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "artifacts.secret" -}}
valueFrom:
  secretKeyRef: {name: {{ .name }}, key: {{ .key }}}
{{- end }}

{{- define "artifacts.database" -}}
- name: ARTIFACTS_DATABASE_URL
  {{- include "artifacts.secret" .Values.secrets.database | nindent 2 }}
{{- end }}

{{- define "artifacts.broker" -}}
- name: ARTIFACTS_BROKER_URL
  {{- include "artifacts.secret" .Values.secrets.broker | nindent 2 }}
{{- end }}

{{- define "artifacts.s3" -}}
{{- with .Values.secrets.s3 }}
{{- if .name }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef: {name: {{ .name }}, key: {{ .accessKeyId }}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef: {name: {{ .name }}, key: {{ .secretAccessKey }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Without a Secret, a proxy logs the users in: its header is among the settings. */}}
{{- define "artifacts.web" -}}
- name: ARTIFACTS_WEB_HOSTS
  value: {{ join "," .Values.web.hosts | quote }}
{{- with .Values.secrets.web }}
{{- if .name }}
- name: ARTIFACTS_WEB_LOGINS
  {{- include "artifacts.secret" . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* A process that waits at its start for broker, database or S3 counts as alive. */}}
{{- define "artifacts.live" -}}
livenessProbe:
  exec: {command: [artifacts, health, live, --within, "60"]}
  initialDelaySeconds: 60
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 3
{{- end }}
