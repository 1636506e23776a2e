package replicas

import (
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// When the controller starts on a busy machine, types are told over many seconds.
func TestTypeIsNotMissedWhileOthersAreStillTold(t *testing.T) {
	c := &Controller{types: map[string]typeconfig.Type{}, told: time.Now().Add(-2 * listTimeout)}
	if _, result := c.typeOf("FederatedDeployment"); result.Reason != ReasonTypeNotEnabled {
		t.Errorf("no type has been told for long, and it is not missed: %+v", result)
	}
	if err := c.Register(t.Context(), typeconfig.Type{Name: "configmaps"}); err != nil {
		t.Fatal(err)
	}
	if _, result := c.typeOf("FederatedDeployment"); result.Reason != "" || result.Wait <= 0 {
		t.Errorf("a type has just been told, and it is missed: %+v", result)
	}
}
