package join

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Only an account that says so is another host's.
func TestOthersOf(t *testing.T) {
	account := func(name, uid string) corev1.ServiceAccount {
		return corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "plane", Name: name, Annotations: map[string]string{HostUIDAnnotation: uid}}}
	}
	accounts := []corev1.ServiceAccount{account("oslo-ours", "a"), account("oslo-theirs", "b"), account("default", "")}
	if got := OthersOf(accounts, "a"); !slices.Equal(got, []string{"plane/oslo-theirs"}) {
		t.Errorf("%v", got)
	}
	if got := OthersOf(accounts, ""); len(got) > 0 { // the host's own is not known
		t.Errorf("%v", got)
	}
}
