package executor

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/bounded"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/eventnote"
)

// Reasons of the events of KubeFedClusters.
const (
	reasonBackupsForbidden    = "BackupsForbidden"
	reasonBackupsNotInstalled = "BackupsNotInstalled"
	reasonBackupsExecuted     = "BackupsExecuted"
)

// ClusterReporter tells by events of KubeFedClusters, and by an annotation of theirs
// that outlives the events, where backups cannot be executed.
type ClusterReporter struct {
	// Reader and Writer are for the host cluster.
	Reader client.Reader
	Writer client.Writer
	Events *eventnote.Recorder
	// Namespace of the KubeFedClusters.
	Namespace string
	Logger    logr.Logger
}

// reportTimeout bounds the requests of one report.
const reportTimeout = 10 * time.Second

// Report implements Reporter.
func (r *ClusterReporter) Report(ctx context.Context, cluster string, why *Blocked) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	object := &fedcorev1beta1.KubeFedCluster{}
	err := r.Reader.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: cluster}, object)
	if err == nil {
		err = r.report(ctx, object, why)
	}
	if err = client.IgnoreNotFound(err); err != nil {
		r.Logger.Error(err, "How the backups of a cluster stand could not be written", "cluster", cluster)
	}
	return err
}

func (r *ClusterReporter) report(ctx context.Context, object *fedcorev1beta1.KubeFedCluster, why *Blocked) error {
	before := object.Annotations[v1alpha1.BlockedAnnotation]
	switch {
	case why == nil && before == "":
		return nil
	case why == nil:
		r.event(object, corev1.EventTypeNormal, reasonBackupsExecuted, "nothing keeps the host's controller from executing backups any more")
		return r.annotate(ctx, object, nil)
	case why.Reason == BlockedForbidden:
		text := said(why.Reason + ": " + why.Message)
		r.event(object, corev1.EventTypeWarning, reasonBackupsForbidden, why.Message)
		if text == before {
			return nil
		}
		return r.annotate(ctx, object, &text)
	default: // whether a cluster is to have backups at all is not known here
		r.event(object, corev1.EventTypeNormal, reasonBackupsNotInstalled, why.Message)
		if before == "" {
			return nil
		}
		return r.annotate(ctx, object, nil)
	}
}

// said is a message of a status: some of its words are a cluster's or a storage's.
func said(message string) string { return errtext.Bounded(message, bounded.Message) }

func (r *ClusterReporter) event(object *fedcorev1beta1.KubeFedCluster, kind, reason, message string) {
	r.Events.Eventf(object, nil, kind, reason, "Execute", "%s", message)
}

// annotate sets the annotation or removes it. The UID keeps it from hitting another
// cluster that was given the same name.
func (r *ClusterReporter) annotate(ctx context.Context, object *fedcorev1beta1.KubeFedCluster, value *string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": object.UID, "annotations": map[string]*string{v1alpha1.BlockedAnnotation: value},
	}})
	if err != nil {
		return err
	}
	target := &fedcorev1beta1.KubeFedCluster{}
	target.Namespace, target.Name = object.Namespace, object.Name
	return r.Writer.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch))
}
