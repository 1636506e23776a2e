package capture

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// Params say what to save, from where and where to.
type Params struct {
	// Config connects to the cluster. Its time-out and rate limits are not used.
	Config *rest.Config
	// Repository is open for writing.
	Repository *repository.Repository
	// Run names the run; Run.Namespace is the namespace that is saved by default.
	Run repository.Source
	// Source says which objects.
	Source v1alpha1.BackupSource
	// Hooks run in pods before and after the objects are read.
	Hooks *v1alpha1.Hooks
	// RequestTimeout of a page of a list, a minute by default.
	RequestTimeout time.Duration
	// SnapshotTimeout is how long VolumeSnapshots are waited for, two minutes by default.
	SnapshotTimeout time.Duration
	// Progress is called now and then with the number of objects read so far.
	Progress func(objects int64)
}

// MaxWarnings is how many warnings a Result has; the snapshot's manifest has all.
const MaxWarnings = 100

// Result is what became of a run.
type Result struct {
	Snapshot repository.Snapshot
	// Partial says that something is missing that should be there, MatchesNothing that a
	// part of the source is among it that nothing was saved for.
	Partial, MatchesNothing bool
	Totals                  v1alpha1.Totals
	// Warnings are the first MaxWarnings, what is missing before what was left out.
	Warnings        []v1alpha1.ResourceWarning
	VolumeSnapshots []v1alpha1.VolumeSnapshotRecord
}

// Run saves the cluster. Errors are of the repository (a *repository.Error), of the
// hooks (a *HookError) or of the cluster as a whole (a *ClusterError); then there is
// no snapshot. What concerns single resources makes a Result partial instead.
func Run(ctx context.Context, params Params) (*Result, error) {
	c, err := newCapture(params)
	if err != nil {
		return nil, err
	}
	var manifest repository.Manifest
	snapshot, err := params.Repository.Write(ctx, params.Run, func(ctx context.Context, w *repository.Writer) error {
		c.writer = w
		err := c.run(ctx)
		manifest = w.Manifest()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Result{
		Snapshot: *snapshot, Partial: snapshot.Partial, MatchesNothing: c.nothing.Load(),
		Totals:   v1alpha1.Totals{Objects: snapshot.Objects, Bytes: snapshot.Bytes, StoredBytes: snapshot.StoredBytes},
		Warnings: summarize(&manifest), VolumeSnapshots: manifest.VolumeSnapshots,
	}, nil
}

// ClusterError is a cluster that cannot be read.
type ClusterError struct{ Err error }

func (e *ClusterError) Error() string { return "the cluster cannot be read: " + e.Err.Error() }
func (e *ClusterError) Unwrap() error { return e.Err }

// StatusReason is the reason as a status has it.
func (e *ClusterError) StatusReason() string { return "ClusterUnreadable" }

type capture struct {
	Params
	writer    *repository.Writer
	client    *rest.RESTClient
	discovery discovery.DiscoveryInterface
	dynamic   dynamic.Interface
	config    *rest.Config
	selector  string
	// served is all that the cluster serves, whether it can be saved or not, and silent
	// are the groups of which that is not known.
	served   []content.Resource
	silent   []string
	progress progress
	// nothing says that a part of the source matches nothing.
	nothing atomic.Bool
}

func newCapture(params Params) (*capture, error) {
	c := &capture{Params: params, progress: progress{report: params.Progress}}
	if c.RequestTimeout <= 0 {
		c.RequestTimeout = time.Minute
	}
	if c.SnapshotTimeout <= 0 {
		c.SnapshotTimeout = 2 * time.Minute
	}
	if params.Source.LabelSelector != nil {
		selector, err := metav1.LabelSelectorAsSelector(params.Source.LabelSelector)
		if err != nil {
			return nil, fmt.Errorf("spec.source.labelSelector: %w", err)
		}
		c.selector = selector.String()
	}
	config := rest.CopyConfig(params.Config)
	config.Wrap(answers.Wrap)
	config.Timeout, config.QPS, config.RateLimiter = c.RequestTimeout, -1, nil
	config.WarningHandler = rest.NoWarnings{}
	config.APIPath, config.GroupVersion = "/", nil
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, &ClusterError{err}
	}
	return c, c.connect(config, client)
}

func (c *capture) connect(config *rest.Config, client *http.Client) (err error) {
	c.config = config
	if c.client, err = rest.UnversionedRESTClientForConfigAndClient(config, client); err != nil {
		return &ClusterError{err}
	}
	if c.discovery, err = discovery.NewDiscoveryClientForConfigAndClient(config, client); err != nil {
		return &ClusterError{err}
	}
	if c.dynamic, err = dynamic.NewForConfigAndClient(config, client); err != nil {
		return &ClusterError{err}
	}
	return nil
}

// run is one execution. The post hooks run whatever happened after the first hook
// was begun, so that what was stopped goes on.
func (c *capture) run(ctx context.Context) (err error) {
	plan, err := c.plan(ctx)
	if err != nil {
		return err
	}
	if c.Hooks != nil {
		defer func() {
			c.postHooks(context.WithoutCancel(ctx))
		}()
		if err := c.preHooks(ctx); err != nil {
			return err
		}
	}
	return errors.Join(c.read(ctx, plan), ctx.Err())
}

// summarize makes the warnings for a status: first what is missing, then for each
// resource and reason how much was left out.
func summarize(m *repository.Manifest) []v1alpha1.ResourceWarning {
	warnings := append([]v1alpha1.ResourceWarning{}, m.Warnings...)
	for _, left := range m.LeftOut {
		warning := v1alpha1.ResourceWarning{Resource: left.Resource, Message: v1alpha1.LeftOut + ": " + left.Reason}
		if left.Objects > 0 {
			warning.Message = fmt.Sprintf("%s %d: %s", v1alpha1.LeftOut, left.Objects, left.Reason)
		}
		warnings = append(warnings, warning)
	}
	if len(warnings) > MaxWarnings {
		more := len(warnings) - MaxWarnings + 1
		warnings = append(warnings[:MaxWarnings-1], v1alpha1.ResourceWarning{
			Message: fmt.Sprintf("and %d more, which the snapshot's manifest.json tells", more)})
	}
	return warnings
}
