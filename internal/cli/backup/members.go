package backup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// concurrentReads is how many members are read at a time.
const concurrentReads = 16

// memberState is what a member was found to hold.
type memberState struct {
	view.MemberBackups
	context string // of the kubeconfig, for advice
}

// found is what the rows are made of.
func found(states []memberState) []view.MemberBackups {
	list := make([]view.MemberBackups, len(states))
	for i := range states {
		list[i] = states[i].MemberBackups
	}
	return list
}

// fleet reads the members that a control plane knows.
type fleet struct {
	factory *cmdutil.Factory
	host    client.Client
	// timeout is how long each request to a member may take.
	timeout time.Duration
}

func newFleet(f *cmdutil.Factory, timeout time.Duration) (*fleet, error) {
	if timeout <= 0 {
		return nil, fmt.Errorf("--request-timeout must be more than 0, not %s", timeout)
	}
	host, err := f.HostClient()
	if err != nil {
		return nil, err
	}
	return &fleet{factory: f, host: host, timeout: timeout}, nil
}

// clusters lists the members, or those that are named.
func (f *fleet) clusters(ctx context.Context, names []string) ([]fedcorev1beta1.KubeFedCluster, error) {
	var list fedcorev1beta1.KubeFedClusterList
	err := f.host.List(ctx, &list, client.InNamespace(f.factory.KubeFedNamespace))
	if meta.IsNoMatchError(err) {
		return nil, fedtypes.ErrNoControlPlane
	} else if err != nil {
		return nil, fmt.Errorf("listing KubeFedClusters: %w", err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(list.Items, func(c fedcorev1beta1.KubeFedCluster) bool { return c.Name == name }) {
			return nil, fmt.Errorf("no member cluster is named %s; see \"fedctl get clusters\"", name)
		}
	}
	return slices.DeleteFunc(list.Items, func(c fedcorev1beta1.KubeFedCluster) bool {
		return len(names) > 0 && !slices.Contains(names, c.Name)
	}), nil
}

// what says what is read of each member.
type what struct {
	namespace string // empty for all
	runs      bool
}

// read reads the members side by side, so that one that hangs delays no other. The error is
// for who does not wait for them; what else went wrong is in the states.
func (f *fleet) read(ctx context.Context, clusters []fedcorev1beta1.KubeFedCluster, what what) ([]memberState, error) {
	states := make([]memberState, len(clusters))
	answered := atomic.Int32{}
	defer f.factory.Tell(func() string {
		return fmt.Sprintf("waiting for members: %d of %d have answered", answered.Load(), len(clusters))
	})()
	var group errgroup.Group
	group.SetLimit(concurrentReads)
	for i := range clusters {
		group.Go(func() error {
			states[i] = f.readMember(ctx, &clusters[i], what)
			answered.Add(1)
			return nil
		})
	}
	_ = group.Wait()
	return states, ctx.Err()
}

func (f *fleet) readMember(ctx context.Context, cluster *fedcorev1beta1.KubeFedCluster, what what) memberState {
	state := memberState{MemberBackups: view.MemberBackups{Cluster: cluster.Name}, context: f.factory.ContextOf(cluster.Name, cluster.Spec.APIEndpoint)}
	member, err := f.member(ctx, cluster)
	if err != nil {
		state.Reason, state.Message = view.ReasonNoAccess, err.Error()
		return state
	}
	var backups backupv1alpha1.BackupList
	err = member.List(ctx, &backups, client.InNamespace(what.namespace))
	var runs backupv1alpha1.BackupRunList
	if err == nil && what.runs {
		err = member.List(ctx, &runs, client.InNamespace(what.namespace))
	}
	if err != nil {
		state.Reason, state.Message = whyUnread(err, &state, f.timeout)
		return state
	}
	state.Backups, state.Runs = backups.Items, runs.Items
	return state
}

// member is a client of a member, with the control plane's credentials. Who may not
// read their Secret has a context of the cluster's name, or does without.
func (f *fleet) member(ctx context.Context, cluster *fedcorev1beta1.KubeFedCluster) (client.Client, error) {
	secret, err := cmdutil.Credentials(ctx, f.host, cluster)
	var config *rest.Config
	switch {
	case apierrors.IsForbidden(err):
		config, err = f.factory.ConfigFor(cluster.Name)
		if err != nil {
			return nil, fmt.Errorf("its credentials (Secret %s/%s of the host) may not be read, and no context is named after the cluster: %w", cluster.Namespace, cluster.Spec.SecretRef.Name, err)
		}
		config.Timeout = f.timeout
	case err == nil:
		config, err = reach.ClientConfig(cluster, secret, f.timeout)
	}
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(backupv1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme, Mapper: backupMapper()})
}

// backupMapper knows the types of backups, so that a member is asked for nothing
// but its objects.
func backupMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{backupv1alpha1.GroupVersion})
	for _, kind := range []string{"Backup", "BackupRun"} {
		mapper.Add(backupv1alpha1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	// Their plural is not what is guessed of them.
	gv := backupv1alpha1.GroupVersion
	mapper.AddSpecific(gv.WithKind("BackupRepository"), gv.WithResource("backuprepositories"), gv.WithResource("backuprepository"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	return mapper
}

// whyUnread says why a member's backups could not be read, and what to do.
func whyUnread(err error, state *memberState, timeout time.Duration) (reason, message string) {
	var network net.Error
	switch {
	case apierrors.IsNotFound(err):
		return view.ReasonNotInstalled, fmt.Sprintf("it does not know Backups: \"fedctl install --member %s\" installs them", errtext.Argument(state.context))
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return view.ReasonForbidden, fmt.Sprintf("its backups may not be read: \"fedctl install --member %s --backup-rights save\" grants it", errtext.Argument(state.context))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return view.ReasonNoAnswer, fmt.Sprintf("no answer within %s; see \"fedctl get clusters %s\"", timeout, state.Cluster)
	}
	// The address and the query are of no use to anybody.
	text := err.Error()
	if _, after, found := strings.Cut(text, "\": "); found {
		text = after
	}
	return view.ReasonNoAnswer, fmt.Sprintf("%s; see \"fedctl get clusters %s\"", text, state.Cluster)
}
