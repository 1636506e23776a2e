package join

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

// reviewed is a member that answers access reviews, and notes what it was asked.
type reviewed struct {
	side

	asked []string
}

func review(lacks func(r authorizationv1.ResourceAttributes) bool, objects ...client.Object) *reviewed {
	m := &reviewed{side: side{name: "oslo"}}
	m.client = fake.NewClientBuilder().WithScheme(joinScheme()).WithRESTMapper(testrestmapper.TestOnlyStaticRESTMapper(joinScheme())).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			r, ok := object.(*authorizationv1.SelfSubjectAccessReview)
			if !ok {
				return c.Create(ctx, object, options...)
			}
			a := *r.Spec.ResourceAttributes
			m.asked = append(m.asked, a.Verb+" "+a.Group+"/"+a.Resource+" in "+a.Namespace)
			r.Status.Allowed = !lacks(a)
			return nil
		},
	}).Build()
	return m
}

// Accounts are in the namespaces of the control planes whose they are. Who may not remove one
// learns it before anything is written, not when the new host has joined and the lost one still
// may write.
func TestTheRightsToRemoveAccountsAreCheckedWhereTheyAre(t *testing.T) {
	elsewhere := client.ObjectKey{Namespace: "another-plane", Name: "oslo-lost"}
	here := client.ObjectKey{Namespace: "plane", Name: "oslo-lost"}
	for name, set := range map[string]func(j *joining, account client.ObjectKey){
		"lost":     func(j *joining, account client.ObjectKey) { j.lost = []client.ObjectKey{account} },
		"earlier":  func(j *joining, account client.ObjectKey) { j.earlier = []client.ObjectKey{account} },
		"replaced": func(j *joining, account client.ObjectKey) { j.key, j.replaces = account, true },
	} {
		for _, account := range []client.ObjectKey{elsewhere, here} {
			member := review(func(a authorizationv1.ResourceAttributes) bool {
				return a.Verb == "delete" && a.Resource == "serviceaccounts" && a.Namespace == "another-plane"
			})
			j := &joining{registration: registration{member: &member.side, options: Options{TakeOver: true, KubeFedNamespace: "plane"}}}
			set(j, account)
			err := j.checkDrops(t.Context())
			want := "ServiceAccount another-plane/oslo-lost is to be removed from oslo: you lack rights in oslo: delete serviceaccounts in namespace another-plane"
			if account == here && err != nil || account == elsewhere && (err == nil || err.Error() != want) {
				t.Errorf("%s %s: %v", name, account, err)
			}
			if asked := slices.Sorted(slices.Values(member.asked)); len(slices.Compact(slices.Clone(asked))) != len(asked) {
				t.Errorf("%s: some was asked twice: %v", name, asked)
			}
			for _, right := range []string{"delete /secrets in ", "delete rbac.authorization.k8s.io/roles in ", "delete rbac.authorization.k8s.io/rolebindings in "} {
				if !slices.Contains(member.asked, right+account.Namespace) {
					t.Errorf("%s %s: nobody asked for %s", name, account, right)
				}
			}
		}
	}
}

// What could not be read is not taken for nothing: it would stay, and nobody would know.
func TestWhetherUsersWereLetInIsNotGuessed(t *testing.T) {
	broken := errors.New("etcd does not answer")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "plane", Name: "oslo-fleet-access", Labels: map[string]string{reach.ClusterLabel: "oslo"}}}
	others := secret.DeepCopy()
	others.Labels = nil
	for name, test := range map[string]struct {
		secret *corev1.Secret
		noted  bool
		broken error
		want   []string
	}{
		"there":              {secret, true, nil, []string{"RoleBinding", "Role", "Secret"}},
		"not noted":          {secret, false, nil, []string{"RoleBinding", "Role", "Secret"}},
		"not there":          {nil, true, nil, []string{"RoleBinding", "Role", "Secret"}},
		"never":              {nil, false, nil, nil},
		"a Secret of others": {others, true, nil, []string{"RoleBinding", "Role"}},
		"of others alone":    {others, false, nil, nil},
		"not readable":       {secret, false, broken, nil},
		"noted and not read": {secret, true, broken, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if test.secret != nil {
				objects = append(objects, test.secret)
			}
			host := fake.NewClientBuilder().WithScheme(joinScheme()).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
					if test.broken != nil {
						return test.broken
					}
					return c.Get(ctx, key, object, options...)
				},
			}).Build()
			h := &hostSide{side: side{name: "the host cluster", config: &rest.Config{}, client: host}, namespace: "plane"}
			kfc := &fedcorev1beta1.KubeFedCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "plane", Name: "oslo"}}
			if test.noted {
				kfc.Annotations = map[string]string{reach.FleetAccessAnnotation: "oslo-fleet-access"}
			}
			left, err := h.fleetLeftOf(t.Context(), kfc)
			if !errors.Is(err, test.broken) {
				t.Errorf("%v", err)
			}
			var kinds []string
			for _, object := range left {
				kinds = append(kinds, object.GetObjectKind().GroupVersionKind().Kind)
			}
			if !slices.Equal(kinds, test.want) {
				t.Errorf("%v, want %v", kinds, test.want)
			}
		})
	}
}

// An account that is replaced goes with what had let users in by it: that was another host's.
func TestFleetAccessByAnAccountThatIsReplacedIsSaidToEnd(t *testing.T) {
	fleet := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "plane", Name: "oslo-host-fleet"}}
	for _, test := range []struct {
		replaces, there bool
		want            string
	}{
		{false, true, ""},
		{true, true, "plane/oslo-host-fleet with which they get there is another host's and goes from oslo: fedctl join oslo --cluster-context oslo --fleet-access makes it again"},
		{true, false, "plane/oslo-host-fleet with which they get there is gone from oslo"},
		{false, false, "plane/oslo-host-fleet with which they get there is gone from oslo"},
	} {
		var objects []client.Object
		if test.there {
			objects = append(objects, fleet)
		}
		member := review(func(authorizationv1.ResourceAttributes) bool { return false }, objects...)
		var said []string
		j := &joining{
			key: client.ObjectKey{Namespace: "plane", Name: "oslo-host"}, replaces: test.replaces,
			registration: registration{
				member:   &member.side,
				options:  Options{ClusterName: "oslo", KubeFedNamespace: "plane", Say: func(line string) { said = append(said, line) }},
				existing: &fedcorev1beta1.KubeFedCluster{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{reach.FleetAccessAnnotation: "oslo-fleet-access"}}},
			},
		}
		if err := j.checkFleetAccess(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(said, "\n"); test.want == "" && all != "" || !strings.Contains(all, test.want) {
			t.Errorf("replaces %v, there %v: %q", test.replaces, test.there, all)
		}
	}
}

// A user of whom a credential plugin has tokens may be the new host's as well: it is said, and
// not decided.
func TestTakingOverSaysWhatItDoesNotEnd(t *testing.T) {
	binding := func(name, role string, subjects ...rbacv1.Subject) rbacv1.ClusterRoleBinding {
		return rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: subjects}
	}
	account := rbacv1.Subject{Kind: "ServiceAccount", Namespace: "plane", Name: "oslo-host"}
	user := rbacv1.Subject{Kind: "User", Name: "arn:aws:iam::1:role/\x1b[2Jlost"}
	plugin := &fedcorev1beta1.KubeFedCluster{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{reach.CredentialPluginAnnotation: "eks"}}}
	const role = "kubefed-controller-manager:oslo-host"
	for name, test := range map[string]struct {
		bindings []rbacv1.ClusterRoleBinding
		existing *fedcorev1beta1.KubeFedCluster
		takeOver bool
		want     string
	}{
		"accounts alone":      {[]rbacv1.ClusterRoleBinding{binding(role, role, account)}, nil, true, ""},
		"a user":              {[]rbacv1.ClusterRoleBinding{binding("for a cloud", role, user)}, plugin, true, `warning: ClusterRoleBinding for a cloud in oslo gives the rights of a federation to User "arn:aws:iam::1:role/ [2Jlost"`},
		"a user, quoted":      {[]rbacv1.ClusterRoleBinding{binding("for a cloud", role, user)}, nil, true, `kubectl --context oslo delete clusterrolebinding 'for a cloud'.`},
		"a plugin":            {nil, plugin, true, "warning: the token for oslo is that of the credential plugin eks. --take-over removes ServiceAccounts alone"},
		"without taking over": {[]rbacv1.ClusterRoleBinding{binding("for a cloud", role, user)}, plugin, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			j := &joining{registration: registration{
				member: &side{name: "oslo"}, existing: test.existing,
				options: Options{ClusterName: "oslo", TakeOver: test.takeOver, Say: func(line string) { said = append(said, line) }},
			}}
			j.warnOfUsers(test.bindings)
			if all := strings.Join(said, "\n"); len(said) > 1 || test.want == "" && all != "" || !strings.Contains(all, test.want) || strings.Contains(all, "\x1b") {
				t.Errorf("%q, want %q", all, test.want)
			}
		})
	}
	of := []rbacv1.ClusterRoleBinding{binding(role, role, account), binding("for a cloud", role, user, account), binding("kubefed-controller-manager:x", "view", account)}
	objects := []client.Object{&of[0], &of[1], &of[2], ptr.To(binding("somebody's", "view", user))}
	member := fake.NewClientBuilder().WithScheme(joinScheme()).WithObjects(objects...).Build()
	found, err := bindingsOfHosts(t.Context(), member)
	accounts := accountsIn(found)
	if err != nil || len(found) != 3 || len(accounts) != 1 {
		t.Errorf("%d bindings, %v: %v", len(found), accounts, err)
	}
}
