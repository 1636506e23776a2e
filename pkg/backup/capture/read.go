package capture

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

const (
	// parallelResources are read at a time: most are small, and cost a round trip each.
	parallelResources = 4
	// restarts of a list whose moment the API server has forgotten.
	restarts = 3
	// maxSilent resources without an answer mean that the cluster gives none.
	maxSilent = 3
)

// tally is what is known while the resources are read.
type tally struct {
	mu     sync.Mutex
	good   int
	bad    int
	silent int
	last   error
	missed map[string]bool
}

func (c *capture) read(ctx context.Context, p *plan) error {
	t := &tally{missed: map[string]bool{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelResources)
	for _, resource := range p.resources {
		group.Go(func() error { return c.readResource(ctx, resource, p, t) })
	}
	if p.claims {
		group.Go(func() error { return c.snapshotVolumes(ctx, p) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if t.good == 0 && t.bad > 0 {
		return &ClusterError{fmt.Errorf("no resource could be listed, the last error: %w", t.last)}
	}
	c.reportUnlabelled(p, t)
	return nil
}

// readResource writes the file of a resource. An error ends the run; what concerns
// the resource alone becomes a warning.
func (c *capture) readResource(ctx context.Context, resource content.Resource, p *plan, t *tally) error {
	for attempt := 0; ; attempt++ {
		file := c.writer.Resource(ctx, toFile(resource))
		job := &listing{capture: c, resource: resource, file: file, left: map[string]int64{}, missing: map[string]bool{}}
		err := job.run(ctx, p)
		if apierrors.IsResourceExpired(err) && attempt < restarts && ctx.Err() == nil {
			c.progress.add(-file.Objects())
			file.Discard()
			continue
		}
		var write *writeError
		if errors.As(err, &write) {
			return write.err
		}
		return c.settle(ctx, job, err, t)
	}
}

// settle closes the file and decides what an error means.
func (c *capture) settle(ctx context.Context, job *listing, err error, t *tally) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	name := job.resource.Name()
	problem := ""
	if err != nil {
		problem = describe(err)
		c.writer.Warn(v1alpha1.ResourceWarning{Resource: name,
			Message: fmt.Sprintf("cannot be listed, %d objects were saved before: %s", job.file.Objects(), problem)})
	}
	for _, reason := range slices.Sorted(maps.Keys(job.left)) {
		c.writer.LeaveOut(repository.LeftOut{Resource: name, Reason: reason, Objects: job.left[reason]})
	}
	for _, namespace := range slices.Sorted(maps.Keys(job.missing)) {
		c.writer.Warn(v1alpha1.ResourceWarning{Resource: namespacesName, Name: namespace,
			Message: "the namespace does not exist: check spec.source.namespaces"})
	}
	if closing := job.file.Close(problem); closing != nil {
		return closing
	}
	return t.count(err)
}

func describe(err error) string {
	if apierrors.IsForbidden(err) {
		return "the executor may not: " + err.Error() + "; give it the right, or exclude the resource"
	}
	return err.Error()
}

// count ends the run when the cluster as a whole does not answer.
func (t *tally) count(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.good++
		t.silent = 0
		return nil
	}
	t.bad++
	t.last = err
	if apierrors.IsUnauthorized(err) {
		return &ClusterError{err}
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return nil
	}
	if t.silent++; t.silent >= maxSilent {
		return &ClusterError{err}
	}
	return nil
}

func toFile(resource content.Resource) repository.Resource {
	return repository.Resource{Group: resource.Group, Version: resource.Version, Resource: resource.Plural,
		Kind: resource.Kind, Namespaced: resource.Namespaced}
}

// progress counts objects and reports now and then.
type progress struct {
	report func(objects int64)
	count  atomic.Int64
}

const progressEvery = 1000

func (p *progress) add(n int64) {
	now := p.count.Add(n)
	if p.report != nil && n > 0 && now/progressEvery != (now-n)/progressEvery {
		p.report(now)
	}
}
