package differential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/differential/cases"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// fleet is one federation: a host, two members, and a controller.
type fleet struct {
	name    string
	system  *framework.System
	kubefed *framework.Process

	host    *cluster
	members []*cluster
	stop    context.CancelFunc // ends the caches
}

// cluster is one of a fleet's. What is in it is read from memory, which follows it:
// the cases look often.
type cluster struct {
	*framework.Cluster

	cache cache.Cache
}

// memberLabels are what placements select by.
var memberLabels = []map[string]string{{"region": "eu", "tier": "gold"}, {"region": "us", "tier": "silver"}}

func (f *fleet) start(ctx context.Context, setUp func(context.Context) error) error {
	log := &bytes.Buffer{}
	var err error
	f.system, err = framework.Prepare(ctx, log, len(memberLabels), func(o *localcluster.Options) {
		// Nothing here needs a pod to run.
		o.GPUMembers, o.HostNodes, o.MemberNodes = 0, localcluster.None, localcluster.None
		o.Without = []string{localcluster.Scheduler, localcluster.Kwok}
	})
	if err != nil {
		return fmt.Errorf("clusters for %s: %w\n%s", f.name, err, log)
	}
	for _, c := range append([]*framework.Cluster{f.system.Host()}, f.system.Members()...) {
		if err := framework.CreateYAML(ctx, c, cases.Definitions); err != nil {
			return err
		}
	}
	if err := setUp(ctx); err != nil {
		return fmt.Errorf("setting up %s: %w", f.name, err)
	}
	for i, m := range f.system.Members() {
		if err := f.system.WaitForMember(ctx, m.Name, true); err != nil {
			return err
		}
		if err := f.label(ctx, m.Name, memberLabels[i]); err != nil {
			return err
		}
	}
	return f.watch()
}

// label gives the KubeFedCluster of a member labels.
func (f *fleet) label(ctx context.Context, name string, labels map[string]string) error {
	joined, err := f.system.Member(ctx, name)
	if err != nil {
		return err
	}
	patch := client.MergeFrom(joined.DeepCopy())
	joined.SetLabels(labels)
	return f.system.Host().Patch(ctx, joined, patch)
}

// watch prepares the caches.
func (f *fleet) watch() error {
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	follow := func(c *framework.Cluster) (*cluster, error) {
		store, err := cache.New(c.Config, cache.Options{Scheme: c.Scheme(), Mapper: c.RESTMapper(), DefaultTransform: cache.TransformStripManagedFields()})
		if err == nil {
			go func() { _ = store.Start(ctx) }() // it ends with the context only
		}
		return &cluster{c, store}, err
	}
	var err error
	if f.host, err = follow(f.system.Host()); err != nil {
		return err
	}
	for _, m := range f.system.Members() {
		c, err := follow(m)
		if err != nil {
			return err
		}
		f.members = append(f.members, c)
	}
	return nil
}

// find returns an object as it was a moment ago; nil if there is none.
func (c *cluster) find(ctx context.Context, ref cases.Ref, namespace string) (*unstructured.Unstructured, error) {
	u := newObject(ref, namespace)
	err := c.cache.Get(ctx, types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()}, u)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("%s in cluster %s: %w", ref, c.Name, err)
	}
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // there is none
	}
	return u, nil
}

// newObject names an object, which belongs into the namespace if it has one.
func newObject(ref cases.Ref, namespace string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(ref.APIVersion)
	u.SetKind(ref.Kind)
	u.SetName(ref.Name)
	if ref.Namespaced {
		u.SetNamespace(namespace)
	}
	return u
}

// setUpFedctl installs fedctl and joins the members, as a user does.
func (f *fleet) setUpFedctl(ctx context.Context) error {
	if err := f.system.StartControlPlane(ctx); err != nil {
		return err
	}
	enable := func(when cases.Enabled) error {
		return f.each(when, func(resource string) error {
			_, err := f.system.Run(ctx, "enable", resource)
			return err
		})
	}
	if err := enable(cases.BeforeJoin); err != nil {
		return err
	}
	for _, m := range f.system.Members() {
		if err := f.system.Join(ctx, m.Name); err != nil {
			return err
		}
	}
	return enable(cases.AfterJoin)
}

// setUpKubeFed installs KubeFed and joins the members, with its own client. It gets
// more workers than its chart gives it, because the cases come all at once, and more
// time, because a busy machine answers late.
func (f *fleet) setUpKubeFed(ctx context.Context) error {
	kubefedctl, _, err := framework.KubeFedPrograms()
	if err != nil {
		return err
	}
	run := func(args ...string) error {
		args = append(args, "--kubeconfig", f.system.Kubeconfig(), "--host-cluster-context", f.system.Host().Name)
		if out, err := exec.CommandContext(ctx, kubefedctl, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("kubefedctl %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	config := strings.NewReplacer(
		"maxConcurrentReconciles: 1", "maxConcurrentReconciles: 4",
		"leaseDuration: 8s, renewDeadline: 6s", "leaseDuration: 90s, renewDeadline: 80s", // one that loses its lease ends
		"failureThreshold: 3", "failureThreshold: 10").Replace(framework.KubeFedConfig)
	if err := framework.InstallKubeFed(ctx, f.system.Host(), config); err != nil {
		return err
	}
	for _, when := range []cases.Enabled{cases.BeforeJoin, cases.AfterJoin} {
		if err := f.each(when, func(resource string) error { return run("enable", resource) }); err != nil {
			return err
		}
	}
	if f.kubefed, err = framework.StartKubeFed(f.system); err != nil {
		return err
	}
	for _, m := range f.system.Members() {
		if err := run("join", m.Name, "--cluster-context", m.Name); err != nil {
			return err
		}
	}
	return nil
}

// each calls do for the types that are enabled at a moment.
func (f *fleet) each(when cases.Enabled, do func(resource string) error) error {
	for _, t := range cases.Types {
		if t.Enabled == when {
			if err := do(t.Resource); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended says that the fleet's controller has ended, which nothing here asks for.
func (f *fleet) ended() error {
	running := f.system.Controller != nil && f.system.Controller.Running()
	if f.kubefed != nil {
		select {
		case <-f.kubefed.Exited():
		default:
			running = true
		}
	}
	if !running {
		return errors.New("the controller has ended")
	}
	return nil
}

func (f *fleet) logTail() string {
	switch {
	case f.kubefed != nil:
		content, err := os.ReadFile(f.kubefed.LogPath)
		if err != nil {
			return err.Error()
		}
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		return strings.Join(lines[max(0, len(lines)-20):], "\n")
	case f.system != nil && f.system.Controller != nil:
		return f.system.Controller.LogTail(20)
	}
	return "(not started)"
}

func (f *fleet) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if f.stop != nil {
		f.stop()
	}
	var errs []error
	if f.kubefed != nil {
		errs = append(errs, f.kubefed.Signal(syscall.SIGTERM))
		select {
		case <-f.kubefed.Exited():
		case <-time.After(10 * time.Second):
			errs = append(errs, f.kubefed.Kill())
		}
	}
	if f.system != nil {
		errs = append(errs, f.system.Close(ctx))
	}
	return errors.Join(errs...)
}

// inBoth does something in both fleets at a time.
func inBoth(both [2]*fleet, do func(f *fleet) error) error {
	var group sync.WaitGroup
	var errs [2]error
	for i, f := range both {
		group.Go(func() {
			if err := do(f); err != nil {
				errs[i] = fmt.Errorf("%s: %w", f.name, err)
			}
		})
	}
	group.Wait()
	return errors.Join(errs[:]...)
}
