package join

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The labels of a KubeFedCluster say what is placed in the cluster. They go with it, so
// unjoin leaves them behind in the member, and join takes them up there.

// memoryName is the ConfigMap in the member's KubeFed namespace that has them, of each
// host under the UID of the host cluster.
const memoryName = "fedctl-memberships"

// memory is what a member remembers of a membership that has ended.
type memory struct {
	Cluster string            `json:"cluster"`
	Labels  map[string]string `json:"labels"`
}

// checkLabels says what the host's API server would refuse, before anything is written.
func checkLabels(labels map[string]string) error {
	if errs := metav1validation.ValidateLabels(labels, field.NewPath("labels")); len(errs) > 0 {
		return errs.ToAggregate()
	}
	return nil
}

// LabelList writes labels as --labels takes them.
func LabelList(labels map[string]string) string {
	pairs := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, ",")
}

// remember has the member keep the labels of a cluster that leaves.
func (s *side) remember(ctx context.Context, namespace, host string, m memory) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: memoryName}}
	err = s.client.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) {
		object.Data = map[string]string{host: string(raw)}
		return s.client.Create(ctx, object)
	} else if err != nil {
		return err
	}
	before := object.DeepCopy()
	if object.Data == nil {
		object.Data = map[string]string{}
	}
	object.Data[host] = string(raw)
	return s.client.Patch(ctx, object, client.MergeFrom(before))
}

// forgetMembership takes away what the member remembers of an earlier membership, which is
// not the last one any more.
func (s *side) forgetMembership(ctx context.Context, namespace, host string) error {
	object := &corev1.ConfigMap{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: memoryName}, object)
	if known := err == nil && object.Data[host] != ""; !known {
		return nil // it is help only
	}
	if len(object.Data) == 1 {
		return client.IgnoreNotFound(s.client.Delete(ctx, object, client.Preconditions{UID: &object.UID, ResourceVersion: &object.ResourceVersion}))
	}
	before := object.DeepCopy()
	delete(object.Data, host)
	return s.client.Patch(ctx, object, client.MergeFrom(before))
}

// recall returns what the member remembers of an earlier membership of this host; nil: nothing.
// It is help only: what cannot be read is not there.
func (s *side) recall(ctx context.Context, namespace, host string) *memory {
	object := &corev1.ConfigMap{}
	if host == "" || s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: memoryName}, object) != nil {
		return nil
	}
	var m memory
	if json.Unmarshal([]byte(object.Data[host]), &m) != nil || len(m.Labels) == 0 || checkLabels(m.Labels) != nil {
		return nil
	}
	return &m
}

// labels are those of a cluster that joins: what the command says, on top of what there
// is, or for a cluster that is new to the host, of what the member remembers.
func (r *registration) labels(ctx context.Context) map[string]string {
	if r.existing != nil {
		labels := maps.Clone(r.existing.Labels)
		if labels == nil && len(r.options.Labels) > 0 {
			labels = map[string]string{}
		}
		maps.Copy(labels, r.options.Labels)
		return labels
	}
	labels := maps.Clone(r.options.Labels)
	if r.options.ForgetLabels {
		return labels
	}
	m := r.member.recall(ctx, r.options.KubeFedNamespace, r.hostUID)
	if m == nil {
		return labels
	}
	taken := maps.Clone(m.Labels)
	maps.DeleteFunc(taken, func(key, _ string) bool { _, said := labels[key]; return said })
	if len(taken) == 0 {
		return labels
	}
	verb := "took up"
	if r.options.DryRun {
		verb = "would take up"
	}
	r.options.Say(fmt.Sprintf("%s the labels that %s remembers of its membership as %s: %s (--forget-labels joins without them)",
		verb, r.options.ClusterName, m.Cluster, LabelList(taken)))
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, taken)
	return labels
}
