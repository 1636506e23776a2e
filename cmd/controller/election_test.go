package main

import (
	"regexp"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/pkg/settings"
)

// What the election needs, a time-out above all, is not for the other clients, whose
// watches have none; both say which process they are of.
func TestElectionHasItsOwnClient(t *testing.T) {
	p := &controlPlane{
		Config:   &config.Config{Election: settings.Election{LeaderElect: true, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second}},
		identity: "pod-1_uid", host: &rest.Config{Host: "https://127.0.0.1:1", UserAgent: userAgent("pod-1_uid")},
	}
	if err := p.setUpElection(); err != nil {
		t.Fatal(err)
	}
	defer p.events.Shutdown()
	if p.host.Timeout != 0 {
		t.Errorf("requests to the host, watches as well, end after %s", p.host.Timeout)
	}
	if !regexp.MustCompile(`^fedctl-controller/\S+ \(pod-1_uid\)$`).MatchString(p.host.UserAgent) {
		t.Errorf("the host is asked by %q", p.host.UserAgent)
	}
	if got := p.lock.Identity(); got != "pod-1_uid" {
		t.Errorf("the Lease is held by %q", got)
	}
}
