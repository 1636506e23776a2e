package capture

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var (
	volumeSnapshots = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"}
	volumeClaims    = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
)

// Labels of the VolumeSnapshots that runs make.
const (
	LabelBackup = "backup.fedctl.io/backup"
	LabelRun    = "backup.fedctl.io/run"
)

const snapshotsName = "volumesnapshots.snapshot.storage.k8s.io"

// snapshotVolumes makes a VolumeSnapshot of each bound claim that is saved, and waits
// until they can be used, for some time. What fails is a warning for that claim.
func (c *capture) snapshotVolumes(ctx context.Context, p *plan) error {
	if c.noSnapshots() {
		c.writer.Warn(v1alpha1.ResourceWarning{Resource: snapshotsName,
			Message: "the cluster has no VolumeSnapshots (their CRDs and a CSI driver with snapshots are needed): the data in volumes is not saved"})
		return nil
	}
	namespaces := p.namespaces
	if namespaces == nil {
		namespaces = []string{metav1.NamespaceAll}
	}
	ctx, cancel := context.WithTimeout(ctx, c.SnapshotTimeout)
	defer cancel()
	var waiting sync.WaitGroup
	for _, namespace := range namespaces {
		err := c.eachClaim(ctx, namespace, func(claim *unstructured.Unstructured) {
			c.snapshotVolume(ctx, claim, &waiting)
		})
		if err != nil {
			c.writer.Warn(v1alpha1.ResourceWarning{Resource: "persistentvolumeclaims", Namespace: namespace,
				Message: "cannot be listed, no VolumeSnapshots are made: " + describe(err)})
		}
	}
	waiting.Wait()
	return nil
}

func (c *capture) noSnapshots() bool {
	served, err := c.discovery.ServerResourcesForGroupVersion(volumeSnapshots.GroupVersion().String())
	return err != nil || !slices.ContainsFunc(served.APIResources, func(r metav1.APIResource) bool { return r.Name == volumeSnapshots.Resource })
}

func (c *capture) eachClaim(ctx context.Context, namespace string, use func(*unstructured.Unstructured)) error {
	options := metav1.ListOptions{LabelSelector: c.selector, Limit: maxLimit}
	for {
		claims, err := c.dynamic.Resource(volumeClaims).Namespace(namespace).List(ctx, options)
		if err != nil {
			return err
		}
		for i := range claims.Items {
			use(&claims.Items[i])
		}
		if options.Continue = claims.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// snapshotVolume makes one VolumeSnapshot and lets it become ready while others are made.
func (c *capture) snapshotVolume(ctx context.Context, claim *unstructured.Unstructured, waiting *sync.WaitGroup) {
	namespace, name := claim.GetNamespace(), claim.GetName()
	warn := func(message string) {
		c.writer.Warn(v1alpha1.ResourceWarning{Resource: "persistentvolumeclaims", Namespace: namespace, Name: name, Message: message})
	}
	if phase, _, _ := unstructured.NestedString(claim.Object, "status", "phase"); phase != "Bound" {
		c.writer.Note(v1alpha1.ResourceWarning{Resource: "persistentvolumeclaims", Namespace: namespace, Name: name,
			Message: "has no volume yet: no VolumeSnapshot is made"})
		return
	}
	record := v1alpha1.VolumeSnapshotRecord{Namespace: namespace, Claim: name, Snapshot: snapshotName(c.Run.Run, name)}
	client := c.dynamic.Resource(volumeSnapshots).Namespace(namespace)
	if _, err := client.Create(ctx, c.volumeSnapshot(record), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		warn("no VolumeSnapshot can be made: " + describe(err))
		return
	}
	c.writer.AddVolumeSnapshot(record)
	waiting.Go(func() {
		if problem := awaitSnapshot(ctx, client, record.Snapshot); problem != "" {
			warn(fmt.Sprintf("the VolumeSnapshot %s is not ready after %s: %s", record.Snapshot, c.SnapshotTimeout, problem))
		}
	})
}

func (c *capture) volumeSnapshot(record v1alpha1.VolumeSnapshotRecord) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": volumeSnapshots.GroupVersion().String(), "kind": "VolumeSnapshot",
		"metadata": map[string]any{
			"namespace": record.Namespace, "name": record.Snapshot,
			"labels": map[string]any{LabelBackup: labelValue(c.Run.Backup), LabelRun: labelValue(c.Run.Run)},
		},
		"spec": map[string]any{"source": map[string]any{"persistentVolumeClaimName": record.Claim}},
	}}
}

// awaitSnapshot waits until the snapshot is ready and says why it is not.
func awaitSnapshot(ctx context.Context, client dynamic.ResourceInterface, name string) (problem string) {
	problem = "its driver has not answered"
	err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		snapshot, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			problem = err.Error()
			return false, nil //nolint:nilerr // asked again until the time is over
		}
		if message, found, _ := unstructured.NestedString(snapshot.Object, "status", "error", "message"); found {
			problem = message
		}
		ready, _, _ := unstructured.NestedBool(snapshot.Object, "status", "readyToUse")
		return ready, nil
	})
	if err == nil {
		return ""
	}
	return problem
}

// snapshotName is the same in each attempt at a run, so that none is made twice.
func snapshotName(run, claim string) string {
	return shorten(run+"-"+claim, 253)
}

func labelValue(name string) string { return shorten(name, 63) }

// shorten makes names unique that are too long.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimRight(name[:limit-9], "-.") + "-" + hex.EncodeToString(sum[:4])
}
