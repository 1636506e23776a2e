package get

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/rest"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

const (
	// takenUp is how long is waited before a watch that has ended is taken up again.
	takenUp = time.Second
	// patience is how long that is tried.
	patience = 30 * time.Second
)

// tables are the forms that kubectl asks for where it prints for people.
var tables = fmt.Sprintf("application/json;as=Table;v=%s;g=%s,application/json", metav1.SchemeGroupVersion.Version, metav1.GroupName)

// watching prints what is there and what becomes of it, as kubectl does. kubectl's own watch
// hides the error that it is ended by, and says of no member that it is lost.
type watching struct {
	*MembersOptions
	result  *resource.Result
	printer printers.ResourcePrinter
	out     flushWriter
	// printed is whether objects are printed, and not only counted for their columns.
	printed *bool
	// version is up to where has been told.
	version string
	missing map[string]union.Missing
}

type flushWriter interface {
	Write([]byte) (int, error)
	Flush() error
}

// watch lasts until ctx ends or the watch is ended by an error. One that the server ends
// otherwise, as API servers do from time to time, is taken up again.
func (o *MembersOptions) watch(ctx context.Context, f kubectlutil.Factory, args []string) error {
	w := &watching{MembersOptions: o, printed: new(bool), out: printers.GetNewTabWriter(o.factory.Out), missing: map[string]union.Missing{}}
	err := w.list(f, args)
	if apierrors.IsNotFound(err) && o.kubectl.IgnoreNotFound {
		err = nil
	} else if err == nil {
		err = w.last(ctx)
	}
	return cmp.Or(ctx.Err(), err)
}

// last follows what comes after the list.
func (w *watching) last(ctx context.Context) error {
	var ended time.Time
	for {
		begun, err := w.follow()
		if begun {
			ended = time.Now()
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil, !begun && !apierrors.IsResourceExpired(err) && time.Since(ended) < patience: // the way there begins anew
		default:
			return fmt.Errorf("the watch has ended: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(takenUp):
		}
	}
}

// list prints what is there, unless only changes are asked for, and notes where they begin.
func (w *watching) list(f kubectlutil.Factory, args []string) error {
	o := w.kubectl
	infos, err := w.ask(f, args, o.FieldSelector)
	if err != nil {
		return err
	}
	if first := infos[0]; first.Name != "" {
		// An object may not have changed for longer than its cluster remembers, so that no watch
		// begins at its version, as it does at that of a list.
		of := first.Mapping.Resource
		named := fields.OneTermEqualSelector(metav1.ObjectNameField, first.Name).String()
		if infos, err = w.ask(f, []string{of.Resource + "." + of.Version + "." + of.Group}, named); err != nil {
			return err
		}
	}
	*w.printed = !o.WatchOnly
	if w.printer, err = o.ToPrinter(infos[0].ResourceMapping(), w.printed, o.AllNamespaces, false); err != nil {
		return err
	}
	for _, page := range infos { // later pages may lack members that earlier ones have
		w.version, w.missing = page.ResourceVersion, missingIn(page.Object)
	}
	list, err := w.result.Object()
	if err != nil {
		return err
	}
	objects := []runtime.Object{list}
	if meta.IsListType(list) {
		if objects, err = meta.ExtractList(list); err != nil {
			return err
		}
	}
	for _, object := range objects {
		if err := w.print(watch.Added, object); err != nil {
			return err
		}
	}
	*w.printed = true
	return nil
}

// ask lists, for a result that can be watched.
func (w *watching) ask(f kubectlutil.Factory, args []string, fieldSelector string) ([]*resource.Info, error) {
	o := w.kubectl
	w.result = f.NewBuilder().Unstructured().
		NamespaceParam(o.Namespace).DefaultNamespace().AllNamespaces(o.AllNamespaces).
		LabelSelectorParam(o.LabelSelector).FieldSelectorParam(fieldSelector).RequestChunksOf(o.ChunkSize).
		ResourceTypeOrNameArgs(true, args...).SingleResourceType().Latest().
		TransformRequests(func(r *rest.Request) {
			if o.ServerPrint && o.IsHumanReadablePrinter {
				r.SetHeader("Accept", tables)
			}
		}).Do()
	infos, err := w.result.Infos()
	if err == nil && len(infos) == 0 {
		err = errors.New("there is nothing to watch")
	}
	return infos, err
}

func (w *watching) print(kind watch.EventType, object runtime.Object) error {
	if w.kubectl.OutputWatchEvents {
		object = &metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Object: object}}
	}
	if err := w.printer.PrintObj(object, w.out); err != nil {
		return err
	}
	return w.out.Flush()
}

// follow prints what one watch tells, once it has begun. An error has ended it.
func (w *watching) follow() (begun bool, err error) {
	events, err := w.result.Watch(w.version)
	if err != nil {
		return false, err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		switch event.Type {
		case watch.Error:
			return true, said(event.Object)
		case watch.Bookmark:
			w.noteMissing(event.Object)
		case watch.Added, watch.Modified, watch.Deleted:
			if err := w.print(event.Type, event.Object); err != nil {
				return true, err
			}
		}
		if version, err := meta.NewAccessor().ResourceVersion(event.Object); err == nil && version != "" && version != "0" {
			w.version = version
		}
	}
	return true, nil
}

// said is the error that a watch has ended with.
func said(object runtime.Object) error {
	err := apierrors.FromObject(object)
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return errors.New(errtext.Bounded(status.Status().Message, 4*errtext.Cluster))
	}
	return err
}

// noteMissing says which members the watch has lost since, and which are back.
func (w *watching) noteMissing(bookmark runtime.Object) {
	missing := missingIn(bookmark)
	for _, line := range changes(w.missing, missing) {
		_, _ = fmt.Fprintln(w.factory.ErrOut, line)
	}
	w.missing = missing
}

// missingIn are the members that a list, or a bookmark, says are missing in it.
func missingIn(object runtime.Object) map[string]union.Missing {
	missing := map[string]union.Missing{}
	if u, is := object.(runtime.Unstructured); is {
		annotations, _, _ := unstructured.NestedStringMap(u.UnstructuredContent(), "metadata", "annotations")
		_ = json.Unmarshal([]byte(annotations[union.AnnotationMissing]), &missing) // what is none names nobody
	}
	return missing
}

// changes says what is new of the members that are missing.
func changes(before, now map[string]union.Missing) (lines []string) {
	for _, cluster := range slices.Sorted(maps.Keys(now)) {
		if _, known := before[cluster]; !known {
			m := now[cluster]
			m.Cluster = cluster
			lines = append(lines, "Warning: "+m.String())
		}
	}
	for _, cluster := range slices.Sorted(maps.Keys(before)) {
		if _, still := now[cluster]; !still {
			lines = append(lines, "cluster "+errtext.Bounded(strings.TrimSpace(cluster), errtext.Cluster)+" is back")
		}
	}
	return lines
}
