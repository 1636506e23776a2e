package policy

import (
	"slices"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/fedctl/fedctl/pkg/accelerator"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
)

// Cluster is what rules select a member cluster by, and derive from.
type Cluster struct {
	Labels map[string]string
	// KubernetesVersion is that of its API server, such as v1.36.3; empty while it is not known.
	KubernetesVersion string
	// Known says that its nodes have been read, now or earlier.
	Known bool
	// DevicesUnread says that what can be claimed there has never been read.
	DevicesUnread bool
	// Pools are what its nodes offer of accelerators.
	Pools []clusterv1alpha1.Pool
}

// ClusterOf is what is known of a cluster; capacity is nil where there is none.
func ClusterOf(labels map[string]string, kubernetesVersion string, capacity *clusterv1alpha1.ClusterCapacity) Cluster {
	c := Cluster{Labels: labels, KubernetesVersion: kubernetesVersion}
	if capacity != nil {
		c.Known, c.Pools = len(capacity.Status.Conditions) > 0, accelerator.Accelerators(capacity.Status.Pools)
		c.DevicesUnread = devicesUnread(c.Pools, capacity.Status.Conditions)
	}
	return c
}

// devicesUnread says whether there is nothing to know devices by. Where there is, it is what
// was known last, which may be that there are none.
func devicesUnread(pools []clusterv1alpha1.Pool, conditions []metav1.Condition) bool {
	known := meta.FindStatusCondition(conditions, clusterv1alpha1.ConditionDevicesKnown)
	return known != nil && !accelerator.DevicesRead(known) &&
		!slices.ContainsFunc(pools, func(p clusterv1alpha1.Pool) bool { return accelerator.IsDevice(p.Resource) })
}

// knows says whether all has been read that pods depend on which ask for this.
func (c *Cluster) knows(asked ...map[string]int64) bool {
	return c.Known && (!c.DevicesUnread || !slices.ContainsFunc(asked, asksForDevices))
}

func asksForDevices(requested map[string]int64) bool {
	for name := range requested {
		if accelerator.IsDevice(name) {
			return true
		}
	}
	return false
}

// Clusters are the member clusters by name. The values are shared and not modified.
type Clusters map[string]Cluster

type clusterSelector struct {
	v1alpha1.ClusterSelector

	labels   labels.Selector     // nil selects all
	versions *semver.Constraints // nil selects all
}

func compileClusters(s *v1alpha1.ClusterSelector, field string) (*clusterSelector, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // nil selects all
	}
	compiled, err := labelsOf(s.LabelSelector, field)
	if err != nil {
		return nil, err
	}
	c := &clusterSelector{ClusterSelector: *s, labels: compiled}
	if s.KubernetesVersion != "" {
		if c.versions, err = semver.NewConstraint(s.KubernetesVersion); err != nil {
			return nil, fault(field+".kubernetesVersion", "is no range of versions, such as >=1.34 or \">=1.33, <1.36\"")
		}
	}
	return c, nil
}

// selects says whether a cluster is selected. known is false where that depends on what has
// never been read.
func (s *clusterSelector) selects(name string, c Cluster) (selected, known bool) {
	if s == nil {
		return true, true
	}
	if len(s.Names) > 0 && !slices.Contains(s.Names, name) || s.labels != nil && !s.labels.Matches(labels.Set(c.Labels)) {
		return false, true
	}
	if s.versions != nil {
		version := plainVersion(c.KubernetesVersion)
		if version == nil || !s.versions.Check(version) {
			return false, version != nil
		}
	}
	if !s.usesNodes() {
		return true, true
	}
	offers := slices.ContainsFunc(c.Pools, func(p clusterv1alpha1.Pool) bool {
		return (s.Accelerator == "" || p.Resource == s.Accelerator) && (s.Product == "" || p.Product == s.Product)
	})
	devices := s.Accelerator == "" || accelerator.IsDevice(s.Accelerator)
	return offers, c.Known && (offers || !devices || !c.DevicesUnread)
}

// plainVersion is a version without what providers append, such as -gke.1200: in a range it
// would stand for what comes before the release. nil, if it is none.
func plainVersion(text string) *semver.Version {
	version, err := semver.NewVersion(text)
	if err != nil {
		return nil
	}
	return semver.New(version.Major(), version.Minor(), version.Patch(), "", "")
}

// notKnown says what has never been read of a cluster.
func (s *clusterSelector) notKnown(name string, c Cluster) string {
	if s.versions != nil && plainVersion(c.KubernetesVersion) == nil {
		return "the version of cluster " + name + " is not known yet; see: fedctl get clusters " + name
	}
	return notKnown(name, c)
}

func (s *clusterSelector) usesNodes() bool {
	return s != nil && (s.Accelerator != "" || s.Product != "")
}
