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

{{/* Not empty where somebody has disabled a type (fedctl disable), which is noted at the definition of
its federated type: (list $ NAME-OF-THE-DEFINITION). */}}
{{- define "fedctl.disabled" -}}
{{- $root := index . 0 -}}
{{- $notes := dig "metadata" "annotations" dict (lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" (index . 1)) -}}
{{- if hasKey $notes (printf "disabled.fedctl.io/%s" $root.Release.Namespace) -}}true{{- end -}}
{{- end -}}

{{/* An object of the control plane as it is, as YAML: (list $ KIND NAME). Empty where there is none,
and where no API server is asked (helm template). */}}
{{- define "fedctl.live" -}}
{{- $root := index . 0 -}}
{{- if $root.Capabilities.APIVersions.Has (printf "core.kubefed.io/v1beta1/%s" (index . 1)) -}}
{{- toYaml (lookup "core.kubefed.io/v1beta1" (index . 1) $root.Release.Namespace (index . 2)) -}}
{{- end -}}
{{- end -}}
