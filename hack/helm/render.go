package helm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// Values of a chart.
type Values = map[string]any

// Dir is where a chart is.
func Dir(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "charts", name, "Chart.yaml")); err == nil {
			return filepath.Join(dir, "charts", name), nil
		}
	}
	return "", fmt.Errorf("there is no charts/%s above the working directory", name)
}

// Load loads a chart as it is in the sources, or as it is packaged with an appVersion.
func Load(name, appVersion string) (*helmchart.Chart, error) {
	dir, err := Dir(name)
	if err != nil {
		return nil, err
	}
	c, err := loader.Load(dir)
	if err == nil && appVersion != "" {
		c.Metadata.AppVersion, c.Metadata.Version = appVersion, strings.TrimPrefix(appVersion, "v")
	}
	return c, err
}

// Rendered is what "helm template" makes of a chart.
type Rendered struct {
	// Objects of the release, and then its hooks.
	Objects []*unstructured.Unstructured
	// Notes are what is said after an install.
	Notes string
}

// kubeVersion is that of a cluster, which there is none of; Helm's own program takes the
// one of its client libraries.
var kubeVersion = common.KubeVersion{Version: "v1.36.0", Major: "1", Minor: "36"}

// Render renders a chart without asking an API server.
func Render(ctx context.Context, name, namespace string, values Values) (*Rendered, error) {
	c, err := Load(name, "")
	if err != nil {
		return nil, err
	}
	install := action.NewInstall(action.NewConfiguration())
	install.ReleaseName, install.Namespace = name, namespace
	install.DryRunStrategy = action.DryRunClient
	install.KubeVersion = &kubeVersion
	result, err := install.RunWithContext(ctx, c, values)
	if err != nil {
		return nil, err
	}
	rendered, ok := result.(*release.Release)
	if !ok {
		return nil, errors.New("Helm has made no release that is known here") //nolint:staticcheck // a name begins it
	}
	manifest := rendered.Manifest
	for _, hook := range rendered.Hooks {
		manifest += "---\n" + hook.Manifest + "\n"
	}
	objects, err := parse(manifest)
	return &Rendered{Objects: objects, Notes: rendered.Info.Notes}, err
}

// parse reads objects as clients do: whole numbers are such.
func parse(manifest string) ([]*unstructured.Unstructured, error) {
	objects, err := framework.ParseYAML(manifest)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		data, err := object.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if err := object.UnmarshalJSON(data); err != nil {
			return nil, err
		}
	}
	return objects, nil
}
