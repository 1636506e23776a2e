package view

import (
	"strings"
	"time"

	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// overdue is how late a run may be before it counts as one that nobody executes.
const overdue = time.Minute

// ExplainBlocked says why nobody executes the backups of a member that does not let
// the control plane do so. What has been looked at all the same, by an executor of
// the member's own, stays as it is.
func ExplainBlocked(rows []BackupRow, clusters []fedcorev1beta1.KubeFedCluster, now time.Time) {
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
		if !blocked || r.Name == "" || (r.ReadyState != Unknown && !late) {
			continue
		}
		reason, message, found := strings.Cut(text, ": ")
		if !found {
			reason, message = ReasonForbidden, text
		}
		r.Objective, r.ReadyState, r.Reason, r.Message = Unknown, Unknown, reason, message
	}
}
