package members

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// Joint is an API server of all members, as clusters/-/proxy of the API of the fleet is, but
// in this process: for members that are reached by contexts. It says what they serve, lists,
// gets, and watches what it has listed last. requireAll makes an error of a member that is
// missing; again looks while a watch lasts for those that could not be reached.
func Joint(reached *Reached, requireAll bool, again func(context.Context) (*Reached, error)) *rest.Config {
	j := &joint{reached: reached, requireAll: requireAll, again: again, callers: map[string]*caller{}}
	return &rest.Config{Host: "https://members.invalid", UserAgent: "fedctl", Transport: j}
}

type joint struct {
	reached    *Reached
	requireAll bool
	again      func(context.Context) (*Reached, error)

	mu      sync.Mutex
	callers map[string]*caller
	last    listing
}

const (
	discoveryType  = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	olderDiscovery = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
)

// RoundTrip implements http.RoundTripper.
func (j *joint) RoundTrip(r *http.Request) (*http.Response, error) {
	found := &Reached{Way: j.reached.Way, Members: j.reached.Members, Missing: slices.Clone(j.reached.Missing)}
	response := &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	var body []byte
	var err error
	switch watch := r.URL.Query().Get("watch"); {
	case r.Method != http.MethodGet:
		return nil, errors.New("members that are reached by contexts are read, not changed together")
	case watch != "":
		if response.Body, err = j.watch(r); err == nil {
			response.ContentLength = -1
			return response, nil
		}
	case r.URL.Path == "/api" || r.URL.Path == "/apis":
		response.Header.Set("Content-Type", discoveryType)
		body, err = j.discover(r, found)
	default:
		if body, err = j.read(r, found); err == nil && j.requireAll && len(found.Missing) > 0 {
			err = apierrors.NewServiceUnavailable("some of the members are missing: " + strings.Join(union.Warnings(found.Missing), "; "))
		}
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		s := status.Status()
		s.Kind, s.APIVersion = "Status", "v1"
		response.StatusCode = int(s.Code)
		response.Header.Set("Content-Type", "application/json")
		body, err = json.Marshal(s)
	}
	if err != nil {
		return nil, err
	}
	for _, line := range union.Warnings(found.Missing) {
		if value, err := utilnet.NewWarningHeader(299, "fedctl", line); err == nil {
			response.Header.Add("Warning", value)
		}
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

// discover is what any of the members serves.
func (j *joint) discover(r *http.Request, found *Reached) ([]byte, error) {
	served := Each(r.Context(), found, func(ctx context.Context, m Member) (list apidiscoveryv2.APIGroupDiscoveryList, err error) {
		err = j.caller(m).ask(ctx, r.URL.Path, discoveryType+","+olderDiscovery, nil, func(from io.Reader) error { return json.NewDecoder(from).Decode(&list) })
		if err == nil && list.Kind != "APIGroupDiscoveryList" {
			err = errors.New("it does not say in one what it serves, as Kubernetes 1.27 and later do")
		}
		return list, err
	})
	if len(served) == 0 {
		return nil, noneAnswers(found)
	}
	var all []apidiscoveryv2.APIGroupDiscoveryList
	for _, name := range slices.Sorted(maps.Keys(served)) {
		all = append(all, served[name])
	}
	return json.Marshal(union.Discovery(all))
}

func noneAnswers(found *Reached) error {
	return apierrors.NewServiceUnavailable("no cluster has answered: " + strings.Join(union.Warnings(found.Missing), "; "))
}

var _ http.RoundTripper = &joint{}
