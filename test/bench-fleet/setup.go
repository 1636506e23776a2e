package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/localcluster"
	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/test/benchkit"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

const namespace = "default"

const (
	protobuf = "application/vnd.kubernetes.protobuf"
	inJSON   = "application/json"
)

// bench is a host, its members, and the ways to them.
type bench struct {
	options
	system    *framework.System
	server    *framework.FleetAPI
	profiling string // address
	near, far place
	// all are the members that are some way away as one, each is each of them directly.
	all  *kubernetes.Clientset
	each []*kubernetes.Clientset
}

// place is a member with a client each way.
type place struct{ direct, through *kubernetes.Clientset }

// newBench starts it. end is to be called in any case.
func newBench(ctx context.Context, o options) (b *bench, end func(context.Context) error, err error) {
	b = &bench{options: o}
	b.system, err = framework.Prepare(ctx, os.Stderr, 1+o.away, func(l *localcluster.Options) {
		l.Without, l.GPUMembers = []string{localcluster.Scheduler, localcluster.Kwok}, 0
	})
	if err != nil {
		return b, b.end, err
	}
	if err := b.system.StartControlPlane(ctx); err != nil {
		return b, b.end, err
	}
	if b.profiling, err = framework.FreeAddress(); err != nil {
		return b, b.end, err
	}
	if b.server, err = b.system.InstallFleetAPI(ctx, "--pprof-bind-address="+b.profiling); err != nil {
		return b, b.end, err
	}
	for i, member := range b.system.Members() {
		p, err := b.join(ctx, member, i > 0)
		if err != nil {
			return b, b.end, err
		}
		switch i {
		case 0:
			b.near = p
		case 1:
			b.far = p
		}
	}
	b.all, err = b.throughHost(fleetv1alpha1.AllClusters, inJSON)
	return b, b.end, err
}

func (b *bench) end(ctx context.Context) (err error) {
	if b.server != nil {
		err = b.server.Stop(ctx)
	}
	if b.system != nil {
		err = errors.Join(err, b.system.Close(ctx))
	}
	return err
}

// join lets a member in, and fills it.
func (b *bench) join(ctx context.Context, member *framework.Cluster, away bool) (p place, err error) {
	// The one that comes is nobody special in the member until its administrator says so.
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-fleet"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "host:system:masters"}},
	}
	if err := member.Create(ctx, binding); err != nil {
		return p, err
	}
	if err := b.fill(ctx, member); err != nil {
		return p, err
	}
	config := rest.CopyConfig(member.Config)
	arguments := []string{"join", member.Name, "--cluster-context", member.Name, "--fleet-access"}
	if away {
		if config.Host, err = relayed(ctx, config.Host, b.delay); err != nil {
			return p, err
		}
		arguments = append(arguments, "--api-endpoint", config.Host)
		other, err := client(config, inJSON)
		if err != nil {
			return p, err
		}
		b.each = append(b.each, other)
	}
	if _, err := b.system.Run(ctx, arguments...); err != nil {
		return p, err
	}
	if err := b.system.WaitForMember(ctx, member.Name, true); err != nil {
		return p, err
	}
	var err2 error
	p.direct, err = client(config, protobuf)
	p.through, err2 = b.throughHost(member.Name, protobuf)
	if err := errors.Join(err, err2); err != nil {
		return p, err
	}
	return p, ready(ctx, p.through)
}

// fill makes the objects.
func (b *bench) fill(ctx context.Context, member *framework.Cluster) error {
	for n := range b.objects {
		object := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("bench-%d", n)}, Data: map[string]string{"text": strings.Repeat("x", b.size)},
		}
		if err := member.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// relayed is the URL of a server at a distance.
func relayed(ctx context.Context, server string, delay time.Duration) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Host, err = benchkit.Relay(ctx, u.Host, delay)
	return u.String(), err
}

func (b *bench) throughHost(member, contentType string) (*kubernetes.Clientset, error) {
	config := rest.CopyConfig(b.system.Host().Config)
	config.Host += fleetv1alpha1.ProxyPath(member)
	return client(config, contentType)
}

func client(config *rest.Config, contentType string) (*kubernetes.Clientset, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = -1, -1
	config.ContentType = contentType
	return kubernetes.NewForConfig(config)
}

// ready waits until the member has heard of the rights.
func ready(ctx context.Context, c *kubernetes.Clientset) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := get(ctx, c)
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}

func get(ctx context.Context, c *kubernetes.Clientset) error {
	_, err := c.CoreV1().ConfigMaps(namespace).Get(ctx, "bench-0", metav1.GetOptions{})
	return err
}

func list(ctx context.Context, c *kubernetes.Clientset) error {
	_, err := c.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	return err
}
