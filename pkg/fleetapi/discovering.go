package fleetapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
	"github.com/fedctl/fedctl/pkg/turns"
)

const (
	discoveryKind   = "APIGroupDiscoveryList"
	discoveryType   = "application/json;g=apidiscovery.k8s.io;v=v2;as=" + discoveryKind
	olderDiscovery  = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=" + discoveryKind
	mostOfDiscovery = 16 << 20
	// mostDiscovered are the objects in that, of which a type is about five.
	mostDiscovered = 50_000
	// discoveryTimeout is how long a member may take to say what it serves: clients ask
	// for it before anything else, and give it half a minute.
	discoveryTimeout = 5 * time.Second
)

// discover answers what the clusters serve, each type once, as kubectl asks for it first.
func (e *everywhere) discover(ctx context.Context, w http.ResponseWriter, clusters []string) error {
	e.Timeout = min(e.Timeout, discoveryTimeout)
	parts := strings.Split(strings.Trim(e.path, "/"), "/")
	root := "/" + parts[0]
	switch {
	case e.path == "":
		return e.answer(w, "application/json", metav1.RootPaths{Paths: []string{"/api", "/apis", "/version"}})
	case e.path == "/version":
		return e.version(ctx, w, clusters)
	case root != "/api" && root != "/apis" || len(parts) > 3:
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound,
			Message: fmt.Sprintf("%s is read in one cluster", errtext.Bounded(e.path, errtext.Cluster)),
		}}
	}
	all, err := e.served(ctx, clusters, root)
	if err != nil {
		return err
	}
	aggregated := strings.Contains(strings.Join(e.header["Accept"], ","), "as="+discoveryKind)
	switch {
	case len(parts) == 1 && aggregated:
		return e.answer(w, discoveryType, all)
	case root == "/apis" && len(parts) == 1:
		return e.answer(w, "application/json", union.Groups(all))
	case root == "/api" && len(parts) == 1:
		versions := metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions", APIVersion: "v1"}, ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{}}
		for _, group := range all.Items {
			for _, v := range group.Versions {
				versions.Versions = append(versions.Versions, v.Version)
			}
		}
		return e.answer(w, "application/json", versions)
	}
	return e.part(w, all, root, parts[1:])
}

// part answers a group, or the resources of one of its versions.
func (e *everywhere) part(w http.ResponseWriter, all apidiscoveryv2.APIGroupDiscoveryList, root string, parts []string) error {
	group, version := "", parts[0]
	if root == "/apis" {
		group, version = parts[0], ""
		if len(parts) > 1 {
			version = parts[1]
		}
	}
	if version == "" {
		for i := range all.Items {
			if all.Items[i].Name == group {
				one := union.Group(all.Items[i])
				one.Kind, one.APIVersion = "APIGroup", "v1"
				return e.answer(w, "application/json", one)
			}
		}
	} else if resources := union.Resources(all, group, version); resources != nil {
		return e.answer(w, "application/json", resources)
	}
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "get", e.target.GroupResource(), "", "no cluster serves it", 0, false)
}

// served asks the clusters for what they serve.
func (e *everywhere) served(ctx context.Context, clusters []string, root string) (all apidiscoveryv2.APIGroupDiscoveryList, err error) {
	found := make([]apidiscoveryv2.APIGroupDiscoveryList, len(clusters))
	refusals := make([]*refusal, len(clusters))
	turns.New(mostAtOnce, turns.Soon(e.Timeout/2, len(clusters), mostAtOnce)).Each(ctx, len(clusters), func(i int) {
		refusals[i] = e.askFor(ctx, clusters[i], root, discoveryType+","+olderDiscovery, &found[i])
		if refusals[i] == nil && found[i].Kind != discoveryKind {
			refusals[i] = errorOf(clusters[i], fmt.Errorf("it does not say in one what it serves, as Kubernetes 1.27 and later do"))
		}
	})
	var answered []apidiscoveryv2.APIGroupDiscoveryList
	var refused []*refusal
	for i, r := range refusals {
		if r == nil {
			answered = append(answered, found[i])
			continue
		}
		e.absent.note(r.Missing)
		refused = append(refused, r)
	}
	if len(answered) == 0 {
		return all, together(refused)
	}
	return union.Discovery(answered), e.incomplete()
}

// askFor reads the answer of one member into a value.
func (e *everywhere) askFor(ctx context.Context, cluster, path, accept string, into any) *refusal {
	r, refused := e.ask(ctx, cluster, path, accept, nil)
	if refused != nil {
		return refused
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, mostOfDiscovery))
	switch {
	case err != nil:
	case bytes.Count(text, []byte("{")) > mostDiscovered:
		err = errors.New("it serves more than is looked at")
	default:
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return r.failed(err)
	}
	return nil
}

// version is that of the first cluster that says one.
func (e *everywhere) version(ctx context.Context, w http.ResponseWriter, clusters []string) error {
	var refused []*refusal
	for _, cluster := range clusters {
		version := map[string]any{}
		r := e.askFor(ctx, cluster, "/version", "application/json", &version)
		if r == nil {
			return e.answer(w, "application/json", version)
		}
		refused = append(refused, r)
	}
	return together(refused)
}

func (e *everywhere) answer(w http.ResponseWriter, contentType string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	e.warn(w.Header())
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-cache, private")
	_, _ = w.Write(text) // a client that has gone needs no answer
	return nil
}
