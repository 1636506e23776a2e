package fleetapi

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// Members that do not answer keep no other from its next token, which may end soon.
func TestSlowMembersDelayNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, slow = 200, 5
		var members []fedcorev1beta1.KubeFedCluster
		for i := range count {
			kfc := newStored().kfc
			kfc.Name = fmt.Sprint(i)
			members = append(members, kfc)
		}
		shut, away := newStored().kfc, newStored().kfc
		shut.Annotations, away.Status.Conditions[0].Status = nil, corev1.ConditionFalse
		members = append(members, shut, away)

		var mu sync.Mutex
		renewed := map[string]time.Duration{}
		begin := time.Now()
		renewEach(t.Context(), members, func(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster) error {
			if len(kfc.Name) == 1 && kfc.Name < fmt.Sprint(slow) {
				<-ctx.Done()
				return ctx.Err()
			}
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			renewed[kfc.Name] = time.Since(begin)
			return nil
		})
		if len(renewed) != count-slow {
			t.Errorf("%d have been renewed, want %d", len(renewed), count-slow)
		}
		for name, after := range renewed {
			if after > time.Second {
				t.Errorf("member %s waited for %s", name, after)
			}
		}
		if took := time.Since(begin); took > renewalTimeout {
			t.Errorf("it took %s", took)
		}
	})
}
