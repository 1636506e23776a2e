package backup

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/internal/view"
	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// next is what to do about a Backup in a cluster, the gravest first. b is nil if it
// is not there.
func next(state *memberState, b *backupv1alpha1.Backup, federated *unstructured.Unstructured, now time.Time) string {
	switch {
	case state.Reason != "":
		return state.Message
	case b == nil && federated != nil:
		return fmt.Sprintf("the Backup is not in the cluster: see \"fedctl status federatedbackups.types.kubefed.io/%s -n %s\"", federated.GetName(), federated.GetNamespace())
	case b == nil:
		return "nothing"
	}
	return nextFor(state, b, now)
}

func nextFor(state *memberState, b *backupv1alpha1.Backup, now time.Time) string {
	// What the member tells of its objects are words of commands here.
	namespace, context := errtext.Argument(b.Namespace), errtext.Argument(state.context)
	at := fmt.Sprintf("-n %s --cluster %s --wait", namespace, context)
	runNow := fmt.Sprintf("\"fedctl backup run %s %s\"", errtext.Argument(b.Name), at)
	condition := func(kind string) metav1.Condition {
		if found := meta.FindStatusCondition(b.Status.Conditions, kind); found != nil {
			return *found
		}
		return metav1.Condition{}
	}
	ready, verified := condition(backupv1alpha1.ConditionReady), condition(backupv1alpha1.ConditionVerified)
	good := b.Status.LastSuccess
	overdue := b.Status.NextRun != nil && now.Sub(b.Status.NextRun.Time) > 10*time.Minute
	switch {
	case len(b.Status.Conditions) == 0:
		return fmt.Sprintf("nobody executes it: \"fedctl install --member %s --backup-rights save\" lets the host's controller do so", context)
	case ready.Status == metav1.ConditionFalse:
		return fmt.Sprintf("%s; then %s", view.Text(ready.Message), runNow)
	case verified.Status == metav1.ConditionFalse:
		return fmt.Sprintf("the data of a run is not as it was written: make a good one (%s), and do what \"fedctl backup repository check %s -n %s --cluster %s\" says",
			runNow, errtext.Argument(b.Spec.RepositoryRef.Name), namespace, context)
	case b.Spec.Suspend:
		return "it is suspended: set spec.suspend to false to follow the schedule"
	case overdue:
		return fmt.Sprintf("its next run is overdue: is its executor running? See the Lease backup-executor in the namespace backup-executor of %s", state.Cluster)
	case condition(backupv1alpha1.ConditionWithinObjective).Status == metav1.ConditionFalse:
		return "the last good run is too old: " + runNow
	case good == nil:
		return "wait for the first run, or " + runNow
	case b.Status.LastVerified == nil:
		return fmt.Sprintf("nothing has to be done; \"fedctl backup verify %s %s\" reads the last good run back", errtext.Argument(good.Name), at)
	}
	return "nothing has to be done"
}
