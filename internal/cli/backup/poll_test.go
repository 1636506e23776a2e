package backup

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// A cluster that is away for a moment does not end a wait: the run goes on all the same.
func TestPollOutlastsAClusterThatIsAway(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := backupv1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	run := &backupv1alpha1.BackupRun{}
	run.Namespace, run.Name, run.Status.Phase = "shop", "nightly-1", backupv1alpha1.RunSucceeded
	asked := 0
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(run).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			if asked++; asked == 1 {
				return errors.New("connection refused")
			}
			return c.Get(ctx, key, object, opts...)
		},
	}).Build()
	streams, _, _, errOut := genericiooptions.NewTestIOStreams()
	waiting := &target{factory: cmdutil.NewFactory(streams), Timeout: time.Minute}
	poll := func(of *backupv1alpha1.BackupRun) error {
		return waiting.poll(t.Context(), c, of, func() bool { return of.Status.Phase.Done() }, func() string { return "" })
	}
	if err := poll(run.DeepCopy()); err != nil || asked < 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if want := "is asked again: connection refused"; !strings.Contains(errOut.String(), want) {
		t.Errorf("%q is not in %q", want, errOut)
	}
	gone := &backupv1alpha1.BackupRun{}
	gone.Namespace, gone.Name = "shop", "nightly-2"
	if err := poll(gone); !apierrors.IsNotFound(err) {
		t.Errorf("of a run that is gone: %v", err)
	}
}

// Who does not wait for the members has no list of backups, and no success.
func TestInterruptedReadOfMembersIsAnError(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	f := &fleet{factory: cmdutil.NewFactory(genericiooptions.NewTestIOStreamsDiscard()), host: fake.NewClientBuilder().WithScheme(cmdutil.Scheme).Build(), timeout: time.Minute}
	cluster := fedcorev1beta1.KubeFedCluster{}
	cluster.Name = "oslo"
	interrupt()
	if _, err := f.read(ctx, []fedcorev1beta1.KubeFedCluster{cluster}, what{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
