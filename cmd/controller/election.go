package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"

	"github.com/fedctl/fedctl/internal/version"
	"github.com/fedctl/fedctl/pkg/fence"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// election is what decides which of several controllers works.
type election struct {
	// fence refuses what a controller that does not lead any more would write; nil
	// where no leader is elected.
	fence *fence.Fence
	// lock is the Lease; nil where no leader is elected.
	lock resourcelock.Interface
	// events about the Lease.
	events record.EventBroadcaster
}

// newIdentity is how one process is called in the Lease, and who it says that it is in its
// requests, so that the audit log of a cluster tells which of several has written.
func newIdentity() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("the name of this controller in the Lease: %w", err)
	}
	return host + "_" + string(uuid.NewUUID()), nil
}

// userAgent is what requests to the host and to members say; what is before the slash is
// the field manager where a request names none.
func userAgent(identity string) string {
	return kubefedconfig.Controller + "/" + version.Get() + " (" + identity + ")"
}

// setUpElection makes the Lease, and puts the fence in front of all other requests to
// the host. The standard lock of the manager would share their clients.
func (p *controlPlane) setUpElection() (err error) {
	p.election = &election{}
	if !p.Election.LeaderElect {
		return nil
	}
	p.fence = fence.New(p.KubeFedNamespace+"/"+kubefedconfig.Controller, p.Election.LeaseDuration)
	own := rest.CopyConfig(p.host)
	own.UserAgent += "/leader-election"
	if err := p.setUpLock(own); err != nil {
		return err
	}
	p.host = rest.CopyConfig(p.host)
	p.host.Wrap(p.fence.Wrap)
	return nil
}

func (p *controlPlane) setUpLock(config *rest.Config) error {
	config.Timeout = p.Election.RenewDeadline / 2 // one request that hangs loses no Lease
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return err
	}
	coordination, err := coordinationv1client.NewForConfig(config)
	if err != nil {
		return err
	}
	p.events = record.NewBroadcaster()
	p.events.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: core.Events("")})
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, p.KubeFedNamespace, kubefedconfig.Controller, core, coordination,
		resourcelock.ResourceLockConfig{
			Identity:      p.identity,
			EventRecorder: p.events.NewRecorder(newScheme(), corev1.EventSource{Component: p.identity}),
		})
	if err != nil {
		return err
	}
	p.lock = p.fence.Lock(lock)
	return nil
}

// start returns when ctx ends or the Lease is lost. In the latter case it waits for
// nothing: what still runs knows only what was true before.
func (p *controlPlane) start(ctx context.Context) error {
	if p.events != nil {
		defer p.events.Shutdown()
	}
	ended := make(chan error, 1)
	go func() { ended <- p.manager.Start(ctx) }()
	select {
	case err := <-ended:
		if err != nil && strings.Contains(err.Error(), "leader election lost") { // controller-runtime has no value for it
			return leaseLost(err)
		}
		return err
	case <-p.fence.Lost():
		return leaseLost(p.fence.Err())
	}
}

// leaseLost says in the log's last line what is to be done where nothing does it.
func leaseLost(err error) error {
	return fmt.Errorf("%w: the controller ends, and is to be started again (a Pod is, a process is not, unless something watches over it); that costs lists, and writes nothing that has not changed", err)
}
