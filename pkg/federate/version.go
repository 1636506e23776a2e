package federate

import (
	"bytes"
	"crypto/md5" //nolint:gosec // KubeFed's record uses it to compare versions, not to protect anything.
	"encoding/hex"
	"encoding/json"
)

// TemplateVersion returns templateVersion of KubeFed's PropagatedVersion: the
// hex MD5 of the template as JSON and a newline; "" without a template (nil),
// and if the template cannot be JSON, which an API server never returns.
func TemplateVersion(template map[string]any) string {
	if template == nil {
		return ""
	}
	return hashLine(template)
}

// OverridesVersion returns overridesVersion of KubeFed's PropagatedVersion. nil,
// an absent list, and an empty list have different versions, as in KubeFed.
func OverridesVersion(overrides []ClusterOverrides) string {
	type override struct {
		Op    string `json:"op,omitempty"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"`
	}
	type item struct {
		ClusterName      string     `json:"clusterName"`
		ClusterOverrides []override `json:"clusterOverrides,omitempty"`
	}
	var items []item
	if overrides != nil {
		items = make([]item, len(overrides))
	}
	for i, cluster := range overrides {
		items[i].ClusterName = cluster.ClusterName
		for _, o := range cluster.Overrides {
			// KubeFed reads the values into float64, which loses the last digits
			// of integers beyond 2^53; the record has to do the same.
			items[i].ClusterOverrides = append(items[i].ClusterOverrides, override{Op: o.Op, Path: o.Path, Value: floats(o.Value)})
		}
	}
	return hashLine(map[string]any{"overrides": items})
}

// hashLine hashes what json.Encoder prints, with its newline.
func hashLine(v any) string {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(v); err != nil {
		return ""
	}
	sum := md5.Sum(buf.Bytes()) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// floats returns v with every integer as a float64, copying what it changes.
func floats(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case int:
		return float64(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = floats(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = floats(value)
		}
		return out
	}
	return v
}
