package fleetapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/transport"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// everywhere is one request to several members: clusters/-/proxy/... It reads and does
// nothing else. Nothing of it is kept for the next one.
//
// A cluster that is missing in the answer is named in a Warning header and in the metadata
// of the list. Once the answer has begun no header can be sent any more: what fails then
// breaks it off, so that nobody takes a part for the whole.
type everywhere struct {
	*proxy
	union.Parameters
	user      user.Info
	who       transport.ImpersonationConfig
	responder rest.Responder

	form   union.Form
	path   string // in the members
	target target
	header http.Header // of requests to members
	absent absent
	// notFound is what a member has said that has no object of the name.
	notFound atomic.Pointer[refusal]
}

// target is what is asked for: a resource, one object of it, or what there is (discovery).
type target struct {
	schema.GroupVersionResource
	name      string
	discovery bool
}

// ServeHTTP implements http.Handler.
func (e *everywhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer goneQuietly(r)
	if err := e.read(r); err != nil {
		e.responder.Error(err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	leave, err := e.places.take(e.user.GetName(), 1) // also while the host is asked about each cluster
	if err != nil {
		e.responder.Error(err)
		return
	}
	defer leave()
	clusters, err := e.choose(ctx)
	if err != nil {
		e.responder.Error(err)
		return
	}
	if e.Watch { // it stays in each cluster; anything else is over soon
		err := e.places.suffice(len(clusters))
		if err != nil {
			e.responder.Error(err)
			return
		}
		leaveOthers, err := e.places.take(e.user.GetName(), len(clusters)-1)
		if err != nil {
			e.responder.Error(err)
			return
		}
		defer leaveOthers()
	}
	switch {
	case e.target.discovery:
		err = e.discover(ctx, w, clusters)
	case e.Watch:
		err = e.watch(ctx, w, clusters)
	default:
		err = e.list(ctx, w, clusters)
	}
	if err != nil {
		e.warn(w.Header())
		e.responder.Error(err)
	}
}

var requestInfo = request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}

// read finds out what is asked for, and refuses what is not to be had of several clusters.
func (e *everywhere) read(r *http.Request) (err error) {
	if r.Method != http.MethodGet {
		return apierrors.NewMethodNotSupported(clustersResource, r.Method+" in several clusters at once")
	}
	if len(r.Header["Upgrade"]) > 0 {
		return apierrors.NewBadRequest("what is read of several clusters is not upgraded: watch it by HTTP, and run commands in one cluster")
	}
	if e.path, err = memberPath(r.URL.Path, fleetv1alpha1.AllClusters); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if e.Parameters, err = union.ParseParameters(r.URL.RawQuery); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if err := e.aim(r); err != nil {
		return err
	}
	e.header = forMember(r.Header)
	for name := range e.header {
		if strings.HasPrefix(name, "Sec-") || strings.HasPrefix(name, "If-") || strings.HasPrefix(name, "Content-") {
			delete(e.header, name)
		}
	}
	for _, name := range []string{"Connection", "Range", "X-Stream-Protocol-Version"} {
		delete(e.header, name)
	}
	if e.target.discovery {
		return nil
	}
	var ok bool
	if e.form, ok = union.Accept(r.Header["Accept"]); !ok {
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusNotAcceptable, Reason: metav1.StatusReasonNotAcceptable,
			Message: "several clusters are read in JSON: accept application/json, also as Table or PartialObjectMetadataList of meta.k8s.io",
		}}
	}
	return nil
}

// aim reads the path: that of a resource or an object, and no other way to write it.
func (e *everywhere) aim(r *http.Request) error {
	asked := r.Clone(r.Context())
	asked.URL.Path, asked.URL.RawPath = e.path, ""
	info, err := requestInfo.NewRequestInfo(asked)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	path := strings.TrimSuffix(e.path, "/")
	if !info.IsResourceRequest {
		e.target.discovery, e.path = true, path
		return nil
	}
	e.target.GroupVersionResource = schema.GroupVersionResource{Group: info.APIGroup, Version: info.APIVersion, Resource: info.Resource}
	plain := "/" + info.APIPrefix + "/"
	if info.APIGroup != "" {
		plain += info.APIGroup + "/"
	}
	plain += info.APIVersion
	if info.Namespace != "" && info.Resource != "namespaces" {
		plain += "/namespaces/" + info.Namespace
	}
	plain += "/" + info.Resource
	if len(info.Parts) > 1 {
		e.target.name = info.Parts[1]
		plain += "/" + e.target.name
	}
	switch {
	case info.Subresource != "" || len(info.Parts) > 2:
		return apierrors.NewBadRequest(fmt.Sprintf("%s is read in one cluster: %s/...", errtext.Bounded(path, errtext.Cluster), fleetv1alpha1.ProxyPath("NAME")))
	case plain != path:
		return apierrors.NewBadRequest(fmt.Sprintf("the path %s is not one of a resource or an object", errtext.Bounded(path, errtext.Cluster)))
	case e.Watch && e.target.name != "":
		return apierrors.NewBadRequest("a watch of one object is that of its resource with fieldSelector=metadata.name=" + errtext.Bounded(e.target.name, errtext.Cluster))
	}
	e.path = plain
	return nil
}

// absent are the clusters that are missing.
type absent struct {
	mu  sync.Mutex
	all []union.Missing
}

// note is true if the cluster was not among them.
func (a *absent) note(m union.Missing) bool {
	m.Message = errtext.Bounded(m.Message, errtext.Cluster)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.all {
		if a.all[i].Cluster == m.Cluster {
			a.all[i] = m
			return false
		}
	}
	a.all = append(a.all, m)
	return true
}

func (a *absent) clear(cluster string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.all {
		if a.all[i].Cluster == cluster {
			a.all = append(a.all[:i:i], a.all[i+1:]...)
			return
		}
	}
}

func (a *absent) list() []union.Missing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]union.Missing(nil), a.all...)
}

// warn says in headers which clusters are missing: kubectl prints them.
func (e *everywhere) warn(header http.Header) {
	for _, line := range union.Warnings(e.absent.list()) {
		if value, err := utilnet.NewWarningHeader(299, "fleet.fedctl.io", line); err == nil {
			header.Add("Warning", value)
		}
	}
}

// incomplete is the error where all clusters are required and some are missing. What is
// served may be asked without them: it is asked first, and what is meant after it fails.
func (e *everywhere) incomplete() error {
	missing := e.absent.list()
	if !e.RequireAll || len(missing) == 0 || e.target.discovery {
		return nil
	}
	return unavailableTogether("require=all: " + strings.Join(union.Warnings(missing), "; "))
}

// unavailableTogether does not say when to ask again: clients would do so by themselves for
// minutes, before anybody hears which cluster is missing.
func unavailableTogether(why string) error {
	status := apierrors.NewServiceUnavailable(errtext.Bounded(why, 4*errtext.Cluster))
	status.ErrStatus.Details = &metav1.StatusDetails{Group: fleetv1alpha1.GroupVersion.Group, Kind: fleetv1alpha1.ClustersResource}
	return status
}
