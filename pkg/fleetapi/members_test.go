package fleetapi

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

// stored is a host with one member and its Secret.
type stored struct {
	client.Reader

	kfc    fedcorev1beta1.KubeFedCluster
	secret corev1.Secret
	err    error
	reads  int // of the Secret
}

func (s *stored) Get(ctx context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	switch object := object.(type) {
	case *fedcorev1beta1.KubeFedCluster:
		s.kfc.DeepCopyInto(object)
	case *corev1.Secret:
		s.reads++
		s.secret.DeepCopyInto(object)
		return errors.Join(s.err, ctx.Err())
	}
	return nil
}

func newStored() *stored {
	s := &stored{}
	s.kfc.Namespace, s.kfc.Name, s.kfc.UID, s.kfc.ResourceVersion = "ns", "m", "1", "1"
	s.kfc.Annotations = map[string]string{reach.FleetAccessAnnotation: "m-fleet-access"}
	s.kfc.Spec.APIEndpoint = "https://m.example"
	s.kfc.Status.Conditions = []fedcorev1beta1.ClusterCondition{{Type: fedcommon.ClusterReady, Status: corev1.ConditionTrue}}
	s.secret.ObjectMeta = metav1.ObjectMeta{Namespace: "ns", Name: "m-fleet-access", Labels: map[string]string{reach.ClusterLabel: "m"}}
	s.secret.Data = map[string][]byte{reach.TokenKey: []byte("first")}
	return s
}

// A Secret that is no help is not read for every request: whoever may not even be let in
// would have the host answer as often as he asks.
func TestSecretIsReadSeldom(t *testing.T) {
	for name, test := range map[string]struct {
		before func(*stored)
		stale  bool // the member does not accept the token
		works  bool
	}{
		"is fine":                  {works: true},
		"has a refused token":      {stale: true, works: true},
		"cannot be read":           {before: func(s *stored) { s.err = errors.New("away") }},
		"may not be read":          {before: func(s *stored) { s.err = apierrors.NewForbidden(corev1.Resource("secrets"), "m", errors.New("no")) }},
		"is another cluster's":     {before: func(s *stored) { s.secret.Labels[reach.ClusterLabel] = "other" }},
		"is that of a static user": {before: func(s *stored) { s.secret.Data = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStored()
				if test.before != nil {
					test.before(s)
				}
				m := &members{clusters: s, secrets: s, namespace: "ns", responseTimeout: time.Minute}
				defer m.forget("m")
				const requests, pause = 100, 100 * time.Millisecond
				for range requests {
					c, err := m.to(t.Context(), "m")
					if (err == nil) != test.works {
						t.Fatal(err)
					}
					if c != nil && test.stale {
						c.stale.Store(true)
					}
					time.Sleep(pause)
				}
				if most := int(requests*pause/secretPause) + 1; s.reads == 0 || s.reads > most {
					t.Errorf("read %d times in %s", s.reads, requests*pause)
				}
			})
		})
	}
}

// What has become better is seen soon, and at once where the KubeFedCluster tells.
func TestSecretIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStored()
		m := &members{clusters: s, secrets: s, namespace: "ns", responseTimeout: time.Minute}
		defer m.forget("m")
		to := func() *connection {
			c, err := m.to(t.Context(), "m")
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := to()
		s.secret.Data[reach.TokenKey] = []byte("second")
		c.stale.Store(true)
		time.Sleep(secretPause)
		if to() != c || s.reads != 2 || c.stale.Load() {
			t.Errorf("read %d times after a refusal", s.reads)
		}
		s.err = errors.New("away")
		time.Sleep(secretKept)
		if to() != c {
			t.Error("a host that does not answer has taken something away")
		}
		s.err = nil
		s.secret.Labels[reach.ClusterLabel] = "other"
		time.Sleep(secretPause)
		if _, err := m.to(t.Context(), "m"); err == nil || c.ended.Err() == nil {
			t.Errorf("it goes on with what was taken away: %v", err)
		}
		s.secret.Labels[reach.ClusterLabel], s.kfc.ResourceVersion = "m", "2"
		to()

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		s.kfc.UID = "2"
		if _, err := m.to(gone, "m"); err != nil {
			t.Errorf("a client that has gone spoils it for others: %v", err)
		}
	})
}
