package get

import (
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
	if err := w.list(f, args); err != nil {
		return cmpOr(ctx.Err(), err)
	}
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

// cmpOr is the first error that there is.
func cmpOr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// list prints what is there, unless only changes are asked for, and notes where they begin.
func (w *watching) list(f kubectlutil.Factory, args []string) error {
	o := w.kubectl
	w.result = f.NewBuilder().Unstructured().
		NamespaceParam(o.Namespace).DefaultNamespace().AllNamespaces(o.AllNamespaces).
		LabelSelectorParam(o.LabelSelector).FieldSelectorParam(o.FieldSelector).RequestChunksOf(o.ChunkSize).
		ResourceTypeOrNameArgs(true, args...).SingleResourceType().Latest().
		TransformRequests(func(r *rest.Request) {
			if o.ServerPrint && o.IsHumanReadablePrinter {
				r.SetHeader("Accept", tables)
			}
		}).Do()
	infos, err := w.result.Infos()
	if apierrors.IsNotFound(err) && o.IgnoreNotFound {
		return nil
	} else if err != nil {
		return err
	}
	if len(infos) == 0 {
		return errors.New("there is nothing to watch")
	}
	*w.printed = !o.WatchOnly
	if w.printer, err = o.ToPrinter(infos[0].ResourceMapping(), w.printed, o.AllNamespaces, false); err != nil {
		return err
	}
	object, err := w.result.Object()
	if err != nil {
		return err
	}
	if w.version, err = meta.NewAccessor().ResourceVersion(object); err != nil {
		return err
	}
	objects := []runtime.Object{object}
	if meta.IsListType(object) {
		if objects, err = meta.ExtractList(object); err != nil {
			return err
		}
	}
	for _, object := range objects {
		if err := w.print(object); err != nil {
			return err
		}
	}
	*w.printed = true
	return nil
}

func (w *watching) print(object runtime.Object) error {
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
			if err := w.print(event.Object); err != nil {
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
	annotations, err := meta.NewAccessor().Annotations(bookmark)
	if err != nil {
		return
	}
	missing := map[string]union.Missing{}
	if text := annotations[union.AnnotationMissing]; text != "" && json.Unmarshal([]byte(text), &missing) != nil {
		return
	}
	for _, line := range changes(w.missing, missing) {
		_, _ = fmt.Fprintln(w.factory.ErrOut, line)
	}
	w.missing = missing
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
