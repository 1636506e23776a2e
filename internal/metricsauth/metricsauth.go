// Package metricsauth lets those see the controller's metrics who may: the API server
// says who asks (TokenReview) and whether he may get the path (SubjectAccessReview), as
// with the metrics of Kubernetes itself. controller-runtime's filter does the same, with
// the whole of k8s.io/apiserver.
package metricsauth

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	// remembered is how long a verdict holds, and mostRemembered how many are kept.
	remembered     = time.Minute
	mostRemembered = 256
	// atOnce is how many may be asked about at a time: whoever reaches the port makes the
	// controller ask the API server.
	atOnce  = 4
	timeout = 10 * time.Second
)

// Filter is a metricsserver.Options.FilterProvider.
func Filter(config *rest.Config, httpClient *http.Client) (metricsserver.Filter, error) {
	client, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	g := &guard{client: client, verdicts: map[[sha256.Size]byte]verdict{}, turns: make(chan struct{}, atOnce)}
	return func(log logr.Logger, next http.Handler) (http.Handler, error) {
		return g.protect(log, next), nil
	}, nil
}

type verdict struct {
	code int
	at   time.Time
}

type guard struct {
	client kubernetes.Interface
	turns  chan struct{}

	mu       sync.Mutex
	verdicts map[[sha256.Size]byte]verdict
}

func (g *guard) protect(log logr.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, err := g.judge(r)
		if err != nil {
			log.Error(err, "Could not find out who asks for metrics")
		}
		if code != http.StatusOK {
			http.Error(w, http.StatusText(code), code)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// judge returns what is answered to a request, http.StatusOK for its metrics.
func (g *guard) judge(r *http.Request) (int, error) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || token == "" {
		return http.StatusUnauthorized, nil
	}
	key := sha256.Sum256([]byte(r.Method + " " + r.URL.Path + " " + token))
	if code := g.known(key); code != 0 {
		return code, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	select {
	case g.turns <- struct{}{}:
		defer func() { <-g.turns }()
	case <-ctx.Done():
		return http.StatusServiceUnavailable, nil
	}
	code, err := g.ask(ctx, token, r)
	if err != nil {
		return http.StatusInternalServerError, err
	}
	g.remember(key, code)
	return code, nil
}

func (g *guard) ask(ctx context.Context, token string, r *http.Request) (int, error) {
	who, err := g.client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := who.Status.User
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, value := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(value)
	}
	may, err := g.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, Groups: user.Groups, UID: user.UID, Extra: extra,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: r.URL.Path, Verb: strings.ToLower(r.Method)},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !may.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

// known returns what was found out a moment ago, or 0.
func (g *guard) known(key [sha256.Size]byte) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v, found := g.verdicts[key]; found && time.Since(v.at) < remembered {
		return v.code
	}
	return 0
}

func (g *guard) remember(key [sha256.Size]byte, code int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.verdicts) >= mostRemembered {
		clear(g.verdicts)
	}
	g.verdicts[key] = verdict{code, time.Now()}
}
