package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/exported"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/serverapply"
)

// unset is why a setting of the installation has not become that of the export.
type unset struct{ error }

func (u unset) Unwrap() error { return u.error }

// carryOut writes all objects, in order. One that the host refuses keeps none of the others
// back, but for a setting of the installation: once a federation is here, nobody can tell any
// more whether it is one that somebody has chosen. What keeps all back ends it.
func (i *importing) carryOut(ctx context.Context) error {
	if err := i.checkDeployment(ctx); err != nil { // looking has taken its time
		return err
	}
	i.progress.begin("writing objects", i.contents.Objects)
	err := i.each(ctx, func(ctx context.Context, u *unstructured.Unstructured) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i.isSettled(u) {
			i.report.count(u.GetKind(), unchanged)
			return nil
		}
		err := i.writeOne(ctx, u, i.look)
		if err == nil {
			return nil
		}
		if ends(ctx, err) {
			return err
		}
		if errors.As(err, &unset{}) {
			i.report.count(u.GetKind(), failed)
			return fmt.Errorf("%s has not become what the export says, and nothing after it was written (with --existing=keep it stays as it is here): %w", serverapply.Describe(u), err)
		}
		i.report.fail(u.GetKind(), "%s: %v", serverapply.Describe(u), err)
		return nil
	})
	if err == nil {
		i.next()
	}
	return err
}

// ends says whether an error is none of an object: the host does not answer, or lets nothing be written.
func ends(ctx context.Context, err error) bool {
	var status apierrors.APIStatus
	return ctx.Err() != nil || !meta.IsNoMatchError(err) && !errors.As(err, &status) || apierrors.IsUnauthorized(err)
}

// writeOne writes one object. look tells what there is of it.
func (i *importing) writeOne(ctx context.Context, u *unstructured.Unstructured, look func(context.Context, *unstructured.Unstructured) (state, *unstructured.Unstructured, error)) error {
	s, found, err := look(ctx, u)
	if err != nil {
		return err
	}
	kind := u.GetKind()
	switch {
	case s == missing:
		found = i.ready(u)
		err := i.create(ctx, found)
		if apierrors.IsAlreadyExists(err) { // by another import, or by its owner
			return i.writeOne(ctx, u, i.lookOnce)
		} else if err != nil {
			return err
		}
		i.report.count(kind, created)
	case s == different && (i.options.Existing == update || i.isSetting(u)):
		found = become(u, found)
		if err := i.host.Update(ctx, found); err != nil && i.isSetting(u) {
			return unset{err}
		} else if err != nil {
			return err
		}
		i.report.count(kind, updated)
	case s == different:
		i.report.count(kind, kept)
		return nil // what was recorded is of what the export says
	default:
		i.report.count(kind, unchanged)
	}
	if u.GroupVersionKind() == exported.Cluster {
		i.clusters[u.GetName()] = found.GetUID()
		i.awaits[u.GetName()] = found.GetAnnotations()[reach.AwaitsJoinAnnotation] != ""
	}
	return i.record(ctx, u, found)
}

// lookOnce is look for an object that is there, and ends where it has gone again.
func (i *importing) lookOnce(ctx context.Context, u *unstructured.Unstructured) (state, *unstructured.Unstructured, error) {
	s, found, err := i.lookAgain(ctx, u)
	if err == nil && s == missing {
		err = apierrors.NewConflict(schema.GroupResource{Group: u.GroupVersionKind().Group, Resource: u.GetKind()}, u.GetName(), errors.New("it comes and goes"))
	}
	return s, found, err
}

// freshly is how long a definition that has just been made may take to be served.
const freshly = 30 * time.Second

// create creates an object; that of a definition that has just been made as soon as it is
// served, which a server with several processes does not do everywhere at once.
func (i *importing) create(ctx context.Context, u *unstructured.Unstructured) error {
	gk := u.GroupVersionKind().GroupKind()
	err := i.host.Create(ctx, u)
	if isUnserved(err) && i.isFederated(u) && !i.isUnserved(gk) {
		_ = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, freshly, false, func(ctx context.Context) (bool, error) {
			err = i.host.Create(ctx, u)
			return !isUnserved(err), nil
		}) // err says what came of it
		if isUnserved(err) {
			i.mu.Lock()
			i.unserved[gk] = true // nobody waits for the next one
			i.mu.Unlock()
		}
	}
	if err != nil || u.GroupVersionKind() != exported.Definition {
		return err
	}
	return i.established(ctx, u.GetName())
}

func (i *importing) isUnserved(gk schema.GroupKind) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.unserved[gk]
}

// isUnserved says whether a server does not know the resource, as against an object's namespace.
func isUnserved(err error) bool {
	var status apierrors.APIStatus
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) && errors.As(err, &status) && (status.Status().Details == nil || status.Status().Details.Name == "" && status.Status().Details.Kind == "")
}

func (i *importing) established(ctx context.Context, name string) error {
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, freshly, true, func(ctx context.Context) (bool, error) {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := i.host.Get(ctx, client.ObjectKey{Name: name}, &crd); err != nil {
			return false, err
		}
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until it is served: %w", err)
	}
	return nil
}

// record tells the controller what was done in clusters and is not to be done again. A status
// that is there already says more.
func (i *importing) record(ctx context.Context, u, found *unstructured.Unstructured) error {
	if exported.HasRecords(found) {
		return nil
	}
	status := exported.RecordFor(u, func(cluster string) string { return ledger.MembershipOf(i.clusters[cluster]) })
	if status == nil {
		return nil
	}
	body, err := json.Marshal(status)
	if err != nil {
		return err
	}
	return i.host.Status().Patch(ctx, found, client.RawPatch(types.MergePatchType, body))
}

// next says what there is to do now.
func (i *importing) next() {
	say := func(format string, args ...any) { i.report.Next = append(i.report.Next, fmt.Sprintf(format, args...)) }
	members := slices.DeleteFunc(slices.Clone(i.contents.Members), func(m exported.Member) bool { return !i.awaits[m.Name] })
	if len(members) > 0 {
		say("Next, have the members join, under the same names. --take-over ends what the earlier host may do there:")
		for _, m := range members {
			command := i.options.factory.JoinCommand(m.Name, m.Endpoint) + " --take-over"
			if m.NamespaceRights {
				command += " --rbac=namespaces"
			}
			if m.FleetAccess {
				command += " --fleet-access"
			}
			say("  %s", command)
		}
	}
	if all := (&few{names: i.byPlugin[:min(len(i.byPlugin), mostNamed)], count: len(i.byPlugin)}); all.count > 0 {
		say("The earlier host has its tokens of %s by a credential plugin, which --take-over does not end: take the rights of its user there away, unless this host is known by the same", all)
	}
	say("Then start the controller: fedctl install%s with --image, or\n  %s scale deployment %s --replicas 2", i.options.factory.HostFlags(), i.options.factory.Kubectl(), kubefedconfig.Controller)
}
