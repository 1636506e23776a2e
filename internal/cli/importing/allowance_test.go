package importing

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fedctl/fedctl/internal/exported"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// Who imports an export does so with an administrator's rights: what somebody has written into
// it beside a federation is refused, before anything is written.
func TestNothingIsSmuggledByAnExport(t *testing.T) {
	const (
		config  = "{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedConfig, metadata: {name: kubefed, namespace: kube-federation-system}, spec: {scope: Namespaced}}"
		role    = "apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole"
		binding = "apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding"
		rules   = "rules: [{apiGroups: [types.example.com], resources: ['*'], verbs: [get, list, watch, patch]}]"
		crd     = "apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: federatedconfigmaps.types.kubefed.io}"
		bound   = "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'fedctl-controller:types.example.com'}"
	)
	federatedBy := func(group, kind, plural string) string {
		return strings.NewReplacer("types.kubefed.io", group, "FederatedConfigMap", kind, "federatedconfigmaps", plural).Replace(typeConfig)
	}
	const noRight, elsewhere, untyped = "it gives other rights than those", "it is not where the control plane", "it is of no federated type of the export"
	for name, test := range map[string]struct {
		manifests []string
		want      string
	}{
		"what a federation has": {[]string{typeConfig, clusterType, federated("shop", "a"), "{" + crd + "}", "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"}, ""},
		"the rights of a type":  {[]string{clusterType, "{" + role + ", metadata: {name: 'fedctl-controller:types.example.com'}, " + rules + "}"}, ""},
		"more rights of a type": {[]string{clusterType, "{" + role + ", metadata: {name: 'fedctl-controller:types.example.com'}, rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]}"}, noRight},
		"rights for everybody": {
			[]string{clusterType, "{" + role + ", metadata: {name: 'fedctl-controller:types.example.com', labels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}}, " + rules + "}"}, noRight,
		},
		"rights of no type":                {[]string{typeConfig, "{" + role + ", metadata: {name: 'fedctl-controller:types.example.com'}, " + rules + "}"}, noRight},
		"a role of another name":           {[]string{clusterType, "{" + role + ", metadata: {name: 'fedctl-controller:secrets'}, " + rules + "}"}, noRight},
		"a binding for somebody else":      {[]string{clusterType, "{" + binding + ", metadata: {name: 'fedctl-controller:types.example.com'}, " + bound + ", subjects: [{kind: User, name: eve, apiGroup: rbac.authorization.k8s.io}]}"}, noRight},
		"a role":                           {[]string{"{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: a, namespace: shop}}"}, untyped},
		"a Secret":                         {[]string{typeConfig, "{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: kube-system}}"}, untyped},
		"a kind of the policies' group":    {[]string{"{apiVersion: policy.fedctl.io/v1alpha1, kind: Other, metadata: {name: a}}"}, untyped},
		"a Secret as a federated type":     {[]string{federatedBy("a.k8s.io", "FederatedSecret", "secrets")}, "whose federated type is secrets.a.k8s.io: that is none"},
		"another's type as a federated":    {[]string{federatedBy("cert-manager.io", "Certificate", "certificates")}, "whose federated type is certificates.cert-manager.io: that is none"},
		"a type of the control plane":      {[]string{federatedBy("core.kubefed.io", "FederatedTypeConfig", "federatedtypeconfigs")}, "that is none"},
		"a webhook that is sent objects":   {[]string{typeConfig, "{" + crd + ", spec: {conversion: {strategy: Webhook}}}"}, "it has a webhook"},
		"a definition of no type":          {[]string{typeConfig, "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: certificates.cert-manager.io}}"}, untyped},
		"a member of another plane":        {[]string{"{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedCluster, metadata: {name: a, namespace: shop}}"}, elsewhere},
		"a type of another plane":          {[]string{strings.Replace(typeConfig, plane, "shop", 1)}, elsewhere},
		"settings of another plane":        {[]string{strings.Replace(config, plane, "shop", 1)}, elsewhere},
		"settings of another name":         {[]string{strings.Replace(config, "name: kubefed", "name: more", 1)}, "are called kubefed"},
		"a capacity of another plane":      {[]string{"{apiVersion: cluster.fedctl.io/v1alpha1, kind: ClusterCapacity, metadata: {name: a, namespace: shop}}"}, elsewhere},
		"in no namespace":                  {[]string{typeConfig, strings.Replace(federated("shop", "a"), ", namespace: shop", "", 1)}, elsewhere},
		"of one namespace, in another":     {[]string{config, typeConfig, federated("shop", "a")}, elsewhere},
		"of one namespace, in that":        {[]string{config, typeConfig, federated(plane, "a")}, ""},
		"of one namespace, for all":        {[]string{config, "{apiVersion: policy.fedctl.io/v1alpha1, kind: ClusterOverridePolicy, metadata: {name: a}}"}, elsewhere},
		"of one namespace, a namespace":    {[]string{config, "{apiVersion: v1, kind: Namespace, metadata: {name: a}}"}, elsewhere},
		"a Backup that runs":               {[]string{"{apiVersion: backup.fedctl.io/v1alpha1, kind: Backup, metadata: {name: a, namespace: shop}, spec: {suspend: false}}"}, "it is not suspended"},
		"a Backup that rests":              {[]string{"{apiVersion: backup.fedctl.io/v1alpha1, kind: Backup, metadata: {name: a, namespace: shop}, spec: {suspend: true}}"}, ""},
		"a repository that may be written": {[]string{"{apiVersion: backup.fedctl.io/v1alpha1, kind: BackupRepository, metadata: {name: a, namespace: shop}, spec: {suspend: true}}"}, "or read-only"},
		"one object twice":                 {[]string{typeConfig, federated("shop", "a"), federated("shop", "a")}, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			err := importOf(t, host(interceptor.Funcs{}), nil, test.manifests...).readExport()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	i := importOf(t, host(interceptor.Funcs{}), nil, clusterType)
	if err := i.readExport(); err != nil {
		t.Fatal(err)
	}
	for _, right := range enablement.Rights("types.example.com", plane) {
		if why := i.allowance.refuses(exported.Portable(right)); why != "" {
			t.Errorf("what enabling a type makes is refused: %s", why)
		}
	}
}
