package content

import (
	"cmp"
	"slices"
)

// order lists resources in the order of their restore. Objects in a later group
// depend on those in an earlier one.
var order = [][]string{
	{"customresourcedefinitions.apiextensions.k8s.io"},
	{"namespaces"},
	{
		"storageclasses.storage.k8s.io", "csidrivers.storage.k8s.io", "volumeattributesclasses.storage.k8s.io", "volumesnapshotclasses.snapshot.storage.k8s.io",
		"priorityclasses.scheduling.k8s.io", "runtimeclasses.node.k8s.io", "ingressclasses.networking.k8s.io", "deviceclasses.resource.k8s.io",
	},
	{"persistentvolumes"},
	{"serviceaccounts"},
	{"clusterroles.rbac.authorization.k8s.io", "roles.rbac.authorization.k8s.io"},
	{"clusterrolebindings.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"},
	{"limitranges", "configmaps"},
	{"secrets"},
	{"persistentvolumeclaims"},
	{"resourceclaims.resource.k8s.io", "resourceclaimtemplates.resource.k8s.io", "podtemplates"},
	// Pods find their network closed as it was from the start.
	{"networkpolicies.networking.k8s.io", "services"},
	{"endpoints", "endpointslices.discovery.k8s.io"},
	{customResources},
	{"controllerrevisions.apps"},
	{"pods"},
	{"replicationcontrollers", "replicasets.apps"},
	{"daemonsets.apps", "deployments.apps", "statefulsets.apps"},
	{"cronjobs.batch", jobs},
	{"horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy"},
	{"ingresses.networking.k8s.io"},
	// A quota that was lowered later must not keep out what was there.
	{"resourcequotas"},
	{"apiservices.apiregistration.k8s.io"},
	{"backuprepositories.backup.fedctl.io", "backups.backup.fedctl.io"},
	// What judges other objects comes when all of them are there, and may need
	// workloads to be there itself.
	{"validatingadmissionpolicies.admissionregistration.k8s.io", "mutatingadmissionpolicies.admissionregistration.k8s.io"},
	{
		"validatingadmissionpolicybindings.admissionregistration.k8s.io", "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
		"validatingwebhookconfigurations.admissionregistration.k8s.io", "mutatingwebhookconfigurations.admissionregistration.k8s.io",
	},
}

// customResources stands for all resources that are not listed. They come before
// the workloads, since they often own some.
const customResources = "*"

var ranks = func() map[string]int {
	out := map[string]int{}
	for rank, names := range order {
		for _, name := range names {
			out[name] = rank
		}
	}
	return out
}()

// Rank is the place of a resource in the order of restore: lower ones first, and
// those of equal rank do not depend on each other.
func Rank(resource Resource) int {
	if rank, ok := ranks[resource.Name()]; ok {
		return rank
	}
	return ranks[customResources]
}

// Sort brings resources into the order of restore, always the same for the same
// resources.
func Sort(resources []Resource) {
	slices.SortFunc(resources, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(Rank(a), Rank(b)), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Plural, b.Plural), cmp.Compare(a.Version, b.Version))
	})
}
