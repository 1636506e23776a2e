package importing

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/exported"
)

const plane = cmdutil.DefaultKubeFedNamespace

// written is an export of a KubeFedConfig and a KubeFedCluster.
func written(t *testing.T) (string, *exported.Contents) {
	t.Helper()
	return export(t,
		`{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedConfig, metadata: {name: kubefed, namespace: kube-federation-system}, spec: {scope: Cluster, syncController: {adoptResources: Disabled}}}`,
		`{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedCluster, metadata: {name: member-1, namespace: kube-federation-system}, spec: {apiEndpoint: "https://a:6443"}}`)
}

// Once a KubeFedCluster is here, settings that differ are taken for somebody's choice: had
// the import gone on, the same command would not do the rest.
func TestASettingThatTheHostRefusesEndsTheImport(t *testing.T) {
	ctx := context.Background()
	dir, contents := written(t)
	refuses := true
	host := fake.NewClientBuilder().WithScheme(cmdutil.Scheme).WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: plane}},
		&fedcorev1beta1.KubeFedConfig{ObjectMeta: metav1.ObjectMeta{Namespace: plane, Name: "kubefed"}, Spec: fedcorev1beta1.KubeFedConfigSpec{Scope: "Cluster"}},
	).WithInterceptorFuncs(interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			if refuses {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "kubefedconfigs"}, obj.GetName(), nil)
			}
			return c.Update(ctx, obj, opts...)
		},
	}).Build()
	run := func(dryRun bool) (*importing, error) {
		o := &Options{factory: cmdutil.NewFactory(genericiooptions.NewTestIOStreamsDiscard()), DryRun: dryRun}
		i := newImporting(o, dir, host, contents)
		if err := i.checkHost(ctx); err != nil {
			t.Fatal(err)
		}
		if err := i.readExport(); err != nil {
			t.Fatal(err)
		}
		if err := i.readClusters(ctx); err != nil {
			t.Fatal(err)
		}
		if err := i.findOthers(ctx); err != nil {
			t.Fatal(err)
		}
		if err := i.planAll(ctx); err != nil {
			t.Fatal(err)
		}
		if err := i.refusal(); err != nil || dryRun {
			return i, i.report.outcome(err)
		}
		return i, i.carryOut(ctx)
	}

	if i, err := run(true); err == nil || len(i.report.Failures) != 1 || !strings.Contains(i.report.Failures[0], "forbidden") || i.report.of("KubeFedConfig").Updated != 0 {
		t.Errorf("with --dry-run: %v, %v, %+v", err, i.report.Failures, i.report.of("KubeFedConfig"))
	}
	if _, err := run(false); err == nil || !strings.Contains(err.Error(), "--existing=keep") {
		t.Fatalf("refused: %v", err)
	}
	var clusters fedcorev1beta1.KubeFedClusterList
	if err := host.List(ctx, &clusters); err != nil || len(clusters.Items) != 0 {
		t.Fatalf("there are %d KubeFedClusters, %v", len(clusters.Items), err)
	}

	refuses = false
	if _, err := run(false); err != nil {
		t.Fatalf("repeated: %v", err)
	}
	var config fedcorev1beta1.KubeFedConfig
	if err := host.Get(ctx, client.ObjectKey{Namespace: plane, Name: "kubefed"}, &config); err != nil || config.Spec.SyncController == nil || *config.Spec.SyncController.AdoptResources != "Disabled" {
		t.Errorf("the settings are %+v, %v", config.Spec, err)
	}
	if err := host.List(ctx, &clusters); err != nil || len(clusters.Items) != 1 {
		t.Errorf("there are %d KubeFedClusters, %v", len(clusters.Items), err)
	}
}
