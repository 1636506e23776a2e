{{/* The Secret that has the certificate. cert-manager's is another one than Helm's, so that a release can
change from one to the other: neither takes over what the other has made. */}}
{{- define "fedctl.fleetSecret" -}}
fedctl-fleet-api{{ if .Values.fleetAPI.issuerRef }}-issued{{ end }}
{{- end -}}

{{/* What proves to the host's API server that the fleet's is the one, as YAML: the Secret's data and
their authority, or what has cert-manager tell it. A certificate that is there stays; where no API server
is asked (helm template), there is a new one each time. */}}
{{- define "fedctl.fleetCertificate" -}}
{{- if .Values.fleetAPI.issuerRef -}}
annotations:
  cert-manager.io/inject-ca-from: {{ printf "%s/fedctl-fleet-api" .Release.Namespace | quote }}
{{- else -}}
{{- $there := (lookup "v1" "Secret" .Release.Namespace "fedctl-fleet-api").data | default dict -}}
{{- if not (and (index $there "tls.crt") (index $there "tls.key") (index $there "ca.crt")) -}}
{{- $host := printf "fedctl-fleet-api.%s.svc" .Release.Namespace -}}
{{- $ca := genCA "fedctl-fleet-api" 3650 -}}
{{- $made := genSignedCert $host nil (list $host) 3650 $ca -}}
{{- $there = dict "tls.crt" ($made.Cert | b64enc) "tls.key" ($made.Key | b64enc) "ca.crt" ($ca.Cert | b64enc) -}}
{{- end -}}
authority: {{ index $there "ca.crt" | quote }}
data:
  {{- toYaml (pick $there "tls.crt" "tls.key" "ca.crt") | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The object that has it: (list $ CERTIFICATE). */}}
{{- define "fedctl.fleetCertificateObject" -}}
{{- $root := index . 0 -}}
{{- $certificate := index . 1 }}
---
{{- with $root.Values.fleetAPI.issuerRef }}
apiVersion: cert-manager.io/v1
kind: Certificate
{{- else }}
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
{{- end }}
metadata:
  name: fedctl-fleet-api
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    app.kubernetes.io/part-of: fedctl
{{- with $root.Values.fleetAPI.issuerRef }}
spec:
  secretName: {{ include "fedctl.fleetSecret" $root }}
  dnsNames:
  - {{ printf "fedctl-fleet-api.%s.svc" $root.Release.Namespace | quote }}
  issuerRef:
    {{- toYaml . | nindent 4 }}
{{- else }}
data:
  {{- toYaml $certificate.data | nindent 2 }}
{{- end }}
{{- end -}}
