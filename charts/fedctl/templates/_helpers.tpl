{{/* What the names of objects without a namespace end in, of which each control plane has its own. */}}
{{- define "fedctl.suffix" -}}
{{- if ne .Release.Namespace "kube-federation-system" -}}-{{ .Release.Namespace }}{{- end -}}
{{- end -}}

{{/* The controller's image. A tag has no plus sign, which versions may have. */}}
{{- define "fedctl.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}{{ $image.repository }}@{{ $image.digest }}
{{- else -}}{{ $image.repository }}:{{ $image.tag | default (.Chart.AppVersion | replace "+" "-") }}
{{- end -}}
{{- end -}}

{{/* An object of the control plane as it is, as YAML: (list $ KIND NAME). Empty where there is none,
and where no API server is asked (helm template). */}}
{{- define "fedctl.live" -}}
{{- $root := index . 0 -}}
{{- if $root.Capabilities.APIVersions.Has (printf "core.kubefed.io/v1beta1/%s" (index . 1)) -}}
{{- toYaml (lookup "core.kubefed.io/v1beta1" (index . 1) $root.Release.Namespace (index . 2)) -}}
{{- end -}}
{{- end -}}
