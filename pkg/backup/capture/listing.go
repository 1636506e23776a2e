package capture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kjson "sigs.k8s.io/json"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// The size of pages: as many objects as in pageBytes at the size of those so far.
const (
	firstLimit = 100
	maxLimit   = 500
	pageBytes  = 4 << 20
	// maxPageBytes is what a page may have, however large its objects are; a page of
	// one object has less.
	maxPageBytes = 64 << 20
)

// attempts at one page, when the server is busy or does not answer.
const attempts = 3

// listing reads one resource into its file.
type listing struct {
	*capture
	resource content.Resource
	file     *repository.ResourceWriter
	// left counts what is not saved by its reason.
	left map[string]int64
	// missing are namespaces that were asked for and are not there.
	missing map[string]bool
}

// writeError is an error of the repository, which ends the run.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

func (l *listing) run(ctx context.Context, p *plan) error {
	isNamespaces := l.resource.Name() == namespacesName
	switch {
	case p.namespaces == nil || (!l.resource.Namespaced && !isNamespaces):
		_, err := l.list(ctx, "", l.query(l.selector))
		return err
	case isNamespaces:
		return l.eachNamespace(p.namespaces, func(namespace string) error {
			query := l.query("")
			query.Set("fieldSelector", "metadata.name="+namespace)
			found, err := l.list(ctx, "", query)
			l.missing[namespace] = err == nil && found == 0
			if !l.missing[namespace] {
				delete(l.missing, namespace)
			}
			return err
		})
	}
	return l.eachNamespace(p.namespaces, func(namespace string) error {
		_, err := l.list(ctx, namespace, l.query(l.selector))
		return err
	})
}

// eachNamespace goes on after an error: what can be read in the others is saved.
func (l *listing) eachNamespace(namespaces []string, read func(namespace string) error) error {
	var errs []error
	for _, namespace := range namespaces {
		err := read(namespace)
		var write *writeError
		if errors.As(err, &write) || apierrors.IsResourceExpired(err) {
			return err
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) <= 1 {
		return errors.Join(errs...)
	}
	return fmt.Errorf("%w (and in %d more namespaces)", errs[0], len(errs)-1)
}

func (l *listing) query(selector string) url.Values {
	query := url.Values{}
	if selector != "" {
		query.Set("labelSelector", selector)
	}
	return query
}

func (l *listing) path(namespace string) string {
	root := path.Join("/apis", l.resource.Group, l.resource.Version)
	if l.resource.Group == "" {
		root = path.Join("/api", l.resource.Version)
	}
	if namespace != "" {
		root = path.Join(root, "namespaces", namespace)
	}
	return path.Join(root, l.resource.Plural)
}

// page is what a reader hands over to the writer.
type page struct {
	list listPage
	err  error
}

// list reads all pages and returns the number of objects. A page is fetched while the
// one before is written.
func (l *listing) list(ctx context.Context, namespace string, query url.Values) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := make(chan page)
	go l.fetchAll(ctx, l.path(namespace), query, pages)
	var found int64
	for p := range pages {
		if p.err != nil {
			return found, p.err
		}
		found += int64(len(p.list.items))
		if err := l.write(p.list.items); err != nil {
			return found, err
		}
	}
	return found, nil
}

func (l *listing) fetchAll(ctx context.Context, at string, query url.Values, pages chan<- page) {
	defer close(pages)
	limit := firstLimit
	for {
		query.Set("limit", strconv.Itoa(limit))
		body, err := l.fetch(ctx, at, query)
		if errors.Is(err, answers.ErrTooMuch) && limit > 1 {
			limit = max(1, limit/8)
			continue
		}
		var list listPage
		if err == nil {
			list, err = splitList(body)
		}
		select {
		case pages <- page{list, err}:
		case <-ctx.Done():
			return
		}
		if err != nil || list.next == "" {
			return
		}
		query.Set("continue", list.next)
		limit = nextLimit(len(body), len(list.items))
	}
}

func nextLimit(bytes, items int) int {
	if items == 0 {
		return maxLimit
	}
	return max(1, min(maxLimit, pageBytes/max(1, bytes/items)))
}

// fetch reads one page, and tries again when that may help.
func (l *listing) fetch(ctx context.Context, at string, query url.Values) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		body, err := l.fetchOnce(ctx, at, query)
		if err == nil || attempt == attempts || ctx.Err() != nil || !worthRetrying(err) {
			return body, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(attempt) * time.Second):
		}
	}
}

func worthRetrying(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		// Another connection may work; no answer within the time will not come faster.
		return !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, answers.ErrTooMuch)
	}
	return apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err)
}

func (l *listing) fetchOnce(ctx context.Context, at string, query url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(answers.Limit(ctx, maxPageBytes), l.RequestTimeout)
	defer cancel()
	request := l.client.Get().AbsPath(at)
	for key := range query {
		request = request.Param(key, query.Get(key))
	}
	stream, err := request.Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	return io.ReadAll(stream)
}

// write saves the objects of a page.
func (l *listing) write(items [][]byte) error {
	for _, item := range items {
		var object map[string]any
		if err := kjson.UnmarshalCaseSensitivePreserveInts(item, &object); err != nil {
			return fmt.Errorf("an object of %s is not valid JSON: %w", l.resource.Name(), err)
		}
		if reason, omit := content.Omit(l.resource, object); omit {
			l.left[reason]++
			continue
		}
		content.Clean(l.resource, object)
		object["apiVersion"], object["kind"] = l.resource.GVK().GroupVersion().String(), l.resource.Kind
		data, err := json.Marshal(object)
		if err != nil {
			return err
		}
		if err := l.file.Add(key(object), data); err != nil {
			return &writeError{err}
		}
	}
	l.progress.add(int64(len(items)))
	return nil
}

func key(object map[string]any) string {
	metadata, _ := object["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	return namespace + "/" + name
}
