package backup

import (
	"strings"
	"time"

	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// overdue is how late a run may be before it counts as one that nobody executes.
const overdue = time.Minute

// explainBlocked says why nobody executes the backups of a member that does not let
// the control plane do so. What has been looked at all the same, by an executor of
// the member's own, stays as it is.
func explainBlocked(rows []row, clusters []fedcorev1beta1.KubeFedCluster, now time.Time) {
	why := map[string]string{}
	for i := range clusters {
		if text := clusters[i].Annotations[backupv1alpha1.BlockedAnnotation]; text != "" {
			why[clusters[i].Name] = text
		}
	}
	for i := range rows {
		r := &rows[i]
		text, blocked := why[r.Cluster]
		late := r.Next != nil && now.Sub(r.Next.Time) > overdue
		if !blocked || r.Name == "" || (r.ReadyState != unknown && !late) {
			continue
		}
		reason, message, found := strings.Cut(text, ": ")
		if !found {
			reason, message = reasonForbidden, text
		}
		r.Objective, r.ReadyState, r.Reason, r.Message = unknown, unknown, reason, message
	}
}
