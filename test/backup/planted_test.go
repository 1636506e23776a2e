package backup

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/hostile"
	"github.com/fedctl/fedctl/test/kit"
)

// templates are mistakes in templates of Secrets.
func templates(p plants) map[string]kit.Fields {
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	made := map[string]kit.Fields{}
	for name, template := range map[string]func(mistake string) kit.Fields{
		"no-base64":   func(m string) kit.Fields { return kit.Fields{"data": kit.Fields{"a": p.text(m) + "%"}} },
		"a-number":    func(m string) kit.Fields { return kit.Fields{"data": kit.Fields{"a": p.number(m)}} },
		"data-text":   func(m string) kit.Fields { return kit.Fields{"data": p.text(m)} },
		"data-list":   func(m string) kit.Fields { return kit.Fields{"data": kit.Values{p.text(m)}} },
		"data-nested": func(m string) kit.Fields { return kit.Fields{"data": kit.Fields{"a": kit.Fields{"b": p.text(m)}}} },
		"text-number": func(m string) kit.Fields { return kit.Fields{"stringData": kit.Fields{"a": p.number(m)}} },
		"text-nested": func(m string) kit.Fields {
			return kit.Fields{"stringData": kit.Fields{"a": kit.Fields{"b": p.text(m)}}}
		},
		"key": func(m string) kit.Fields { return kit.Fields{"data": kit.Fields{"a b/c": encoded(p.text(m))}} },
		"long": func(m string) kit.Fields {
			return kit.Fields{"stringData": kit.Fields{"a": p.text(m) + strings.Repeat("x", 1_100_000)}}
		},
		"unknown":        func(m string) kit.Fields { return kit.Fields{"password": p.text(m)} },
		"unknown-nested": func(m string) kit.Fields { return kit.Fields{"spec": kit.Fields{"password": p.text(m)}} },
		"docker": func(m string) kit.Fields {
			return kit.Fields{"type": "kubernetes.io/dockerconfigjson", "data": kit.Fields{".dockerconfigjson": encoded("{" + p.text(m))}}
		},
		"tls": func(m string) kit.Fields {
			return kit.Fields{"type": "kubernetes.io/tls", "data": kit.Fields{"tls.crt": encoded(p.text(m))}}
		},
		"type-number":    func(m string) kit.Fields { return kit.Fields{"type": p.number(m)} },
		"immutable-text": func(m string) kit.Fields { return kit.Fields{"immutable": p.text(m)} },
		"kind":           func(m string) kit.Fields { return kit.Fields{"kind": p.text(m)} },
		"version":        func(m string) kit.Fields { return kit.Fields{"apiVersion": p.text(m)} },
		"metadata-text":  func(m string) kit.Fields { return kit.Fields{"metadata": p.text(m)} },
		"label": func(m string) kit.Fields {
			return kit.Fields{"metadata": kit.Fields{"labels": kit.Fields{"a": "no label " + p.text(m)}}}
		},
		"label-number": func(m string) kit.Fields {
			return kit.Fields{"metadata": kit.Fields{"labels": kit.Fields{"a": p.number(m)}}}
		},
		"annotation": func(m string) kit.Fields {
			return kit.Fields{"metadata": kit.Fields{"annotations": kit.Fields{"a": kit.Fields{"b": p.text(m)}}}}
		},
		"creation": func(m string) kit.Fields { return kit.Fields{"metadata": kit.Fields{"creationTimestamp": p.text(m)}} },
		"finalizer": func(m string) kit.Fields {
			return kit.Fields{"metadata": kit.Fields{"finalizers": kit.Values{"no finalizer " + p.text(m)}}}
		},
		"owners": func(m string) kit.Fields { return kit.Fields{"metadata": kit.Fields{"ownerReferences": p.text(m)}} },
		"name-of-template": func(m string) kit.Fields {
			return kit.Fields{"metadata": kit.Fields{"name": p.text(m), "namespace": "elsewhere"}}
		},
	} {
		made[name] = template("template " + name)
	}
	return made
}

// overrides are mistakes in overrides of Secrets.
func overrides(p plants, cluster string) map[string]kit.Fields {
	made := map[string]kit.Fields{}
	for name, override := range map[string]func(mistake string) kit.Fields{
		"no-parent": func(m string) kit.Fields { return kit.Fields{"path": "/data/a/b/c", "value": p.text(m)} },
		"no-such-field": func(m string) kit.Fields {
			return kit.Fields{"path": "/data/none", "op": "replace", "value": p.text(m)}
		},
		"no-pointer": func(m string) kit.Fields { return kit.Fields{"path": p.text(m), "value": "/data/a"} },
		"swapped": func(m string) kit.Fields {
			return kit.Fields{"path": "/data/" + p.text(m), "op": "replace", "value": "a"}
		},
		"swapped-gone": func(m string) kit.Fields { return kit.Fields{"path": "/data/" + p.text(m), "op": "remove"} },
		"operation":    func(m string) kit.Fields { return kit.Fields{"path": "/data/a", "op": p.text(m), "value": "a"} },
		"data":         func(m string) kit.Fields { return kit.Fields{"path": "/data", "value": p.text(m)} },
		"metadata":     func(m string) kit.Fields { return kit.Fields{"path": "/metadata", "value": p.text(m)} },
		"everything":   func(m string) kit.Fields { return kit.Fields{"path": "", "value": kit.Fields{"a": p.text(m)}} },
		"nested":       func(m string) kit.Fields { return kit.Fields{"path": "/data/a", "value": kit.Fields{"b": p.text(m)}} },
		"not-encoded":  func(m string) kit.Fields { return kit.Fields{"path": "/data/a", "value": p.text(m) + "%"} },
		"kind":         func(m string) kit.Fields { return kit.Fields{"path": "/kind", "value": p.text(m)} },
		"name":         func(m string) kit.Fields { return kit.Fields{"path": "/metadata/name", "value": p.text(m)} },
		"escape":       func(m string) kit.Fields { return kit.Fields{"path": "/data/~2", "value": p.text(m)} },
		"test":         func(m string) kit.Fields { return kit.Fields{"path": "/data/a", "op": "test", "value": p.text(m)} },
		"index":        func(m string) kit.Fields { return kit.Fields{"path": "/data/-", "value": p.text(m)} },
	} {
		made[name] = kit.Fields{"clusterName": cluster, "clusterOverrides": kit.Values{override("override " + name)}}
	}
	made["cluster"] = kit.Fields{"clusterName": p.text("override cluster"), "clusterOverrides": kit.Values{kit.Fields{"path": "/data/a", "value": "YQ=="}}}
	return made
}

// echo answers everything with an error that quotes all it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":%q}`,
		fmt.Sprintf("%s %s with %v and %s is not allowed", r.Method, r.URL, r.Header, body))
}

// startEcho starts a server that does.
func startEcho() *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	DeferCleanup(server.Close)
	return server
}

func bundle(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// joined makes a member by hand, until the spec ends.
func joined(ctx context.Context, name string, token string, spec kit.Fields) {
	GinkgoHelper()
	secret := kit.Named("v1", "Secret", framework.KubeFedNamespace, name).Empty()
	secret.Object["data"] = kit.Fields{"token": base64.StdEncoding.EncodeToString([]byte(token))}
	cluster := kit.Named(framework.KubeFedCluster.GroupVersion().String(), "KubeFedCluster", framework.KubeFedNamespace, name).Empty()
	spec["secretRef"] = kit.Fields{"name": name}
	cluster.Object["spec"] = spec
	for _, object := range []client.Object{secret, cluster} {
		Expect(host.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, object))).To(Succeed()) }, NodeTimeout(time.Minute))
	}
}

// wordsOf are what the status of a federated object says of each cluster.
func wordsOf(ctx context.Context, object client.Object) string {
	u := federated(object.GetObjectKind().GroupVersionKind().Kind, object.GetNamespace(), object.GetName(), nil)
	if err := host.Get(ctx, client.ObjectKeyFromObject(object), u); err != nil {
		return ""
	}
	status, _, _ := unstructured.NestedMap(u.Object, "status")
	if status["clusters"] == nil && status["conditions"] == nil {
		return ""
	}
	return kit.AsJSON(status)
}

var _ = Describe("Secrets that mistakes are made with", Serial, func() {
	It("are in no event, no status, no annotation and no line of a log", func(ctx SpecContext) {
		p := plants{}
		Expect(system.Controller.Restart(ctx, "--log-level=9")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Controller.Restart(ctx)).To(Succeed()) }, NodeTimeout(time.Minute))

		By("joining what quotes, and what is mistaken")
		loud := startEcho()
		known := base64.StdEncoding.EncodeToString(bundle(loud))
		joined(ctx, "loud", p.text("the token of a member that quotes it"), kit.Fields{"apiEndpoint": loud.URL, "caBundle": known})
		quoting := hostile.Start("secrets")
		DeferCleanup(quoting.Close)
		quoting.SetUID("quoting")
		quoting.Become(echoing)
		joined(ctx, "quoting", p.text("the token of a member that quotes it for Secrets"), kit.Fields{
			"apiEndpoint": quoting.URL(), "caBundle": base64.StdEncoding.EncodeToString(quoting.CABundle())})
		shouting := hostile.Start("configmaps")
		DeferCleanup(shouting.Close)
		shouting.SetUID("shouting")
		shouting.Become(echoing)
		joined(ctx, "shouting", p.text("the token of a member that quotes it for ConfigMaps"), kit.Fields{
			"apiEndpoint": shouting.URL(), "caBundle": base64.StdEncoding.EncodeToString(shouting.CABundle())})
		joined(ctx, "lines", p.text("a token of several lines")+"\nX-Header: a", kit.Fields{"apiEndpoint": loud.URL, "caBundle": known})
		joined(ctx, "user", "token", kit.Fields{
			"apiEndpoint": "https://user:" + p.text("the password of an address") + "@127.0.0.1:1/?a=" + p.text("the query of an address"), "caBundle": known})
		joined(ctx, "proxied", "token", kit.Fields{
			"apiEndpoint": loud.URL, "caBundle": known, "proxyURL": "http://user:" + p.text("the password of a proxy") + "@127.0.0.1:1"})

		By("federating Secrets")
		withoutSchema(ctx, "federatedsecrets.types.kubefed.io")
		everywhere := kit.Fields{"clusterSelector": kit.Fields{}}
		place := func(prefix string) string {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix}}
			Expect(host.Create(ctx, ns)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, ns)).To(Succeed()) }, NodeTimeout(time.Minute))
			Expect(host.Create(ctx, federated("FederatedNamespace", ns.Name, ns.Name, kit.Fields{"placement": everywhere}))).To(Succeed())
			Eventually(ctx, func() error {
				return members[0].Get(ctx, client.ObjectKeyFromObject(ns), &corev1.Namespace{})
			}).Should(Succeed())
			return ns.Name
		}
		ns, refused := place("planted-"), place("refused-")
		var made []client.Object
		federate := func(kind, namespace, name string, spec kit.Fields) {
			object := federated(kind, namespace, name, spec)
			spec["placement"] = everywhere
			object.Object["spec"] = kit.Plain(spec)
			err := host.Create(ctx, object)
			if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
				return // the host does not take it, and who has written it is told
			}
			Expect(err).NotTo(HaveOccurred(), name)
			made = append(made, object)
		}
		for name, template := range templates(p) {
			federate("FederatedSecret", ns, "template-"+name, kit.Fields{"template": template})
		}
		for name, override := range overrides(p, members[0].Name) {
			federate("FederatedSecret", ns, "override-"+name, kit.Fields{
				"template": kit.Fields{"data": kit.Fields{"a": "YQ=="}}, "overrides": kit.Values{override}})
		}
		federate("FederatedSecret", ns, "good", kit.Fields{"template": kit.Fields{"stringData": kit.Fields{"a": p.text("a member that quotes a Secret")}}})
		federate("FederatedConfigMap", ns, "good", kit.Fields{"template": kit.Fields{"data": kit.Fields{"a": "b"}}})
		Expect(len(made)).To(BeNumerically(">", 30))
		for _, object := range made {
			Eventually(ctx, wordsOf).WithArguments(object).ShouldNot(BeEmpty(), object.GetName())
		}

		By("having a webhook of the member refuse and quote")
		federate("FederatedSecret", refused, "kept", kit.Fields{"template": kit.Fields{"data": kit.Fields{"a": "YQ=="}}})
		kept := kit.Named("v1", "Secret", refused, "kept")
		Eventually(ctx, func() error { _, err := kit.Read(ctx, members[0], kept); return err }).Should(Succeed())
		gate := framework.NewGate("planted", "", "secrets", refused)
		Expect(members[0].Create(ctx, gate.Configuration)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(members[0].Delete(ctx, gate.Configuration)).To(Succeed())
			gate.Close()
		}, NodeTimeout(time.Minute))
		Eventually(ctx, func() int64 {
			Expect(members[0].Patch(ctx, kit.Found(ctx, members[0], kept), client.RawPatch("application/merge-patch+json", []byte(`{"type":null}`)), client.DryRunAll)).To(Or(Succeed(), HaveOccurred()))
			return gate.Asked()
		}).Should(BeNumerically(">", 0))
		quoted := p.text("a webhook that quotes")
		gate.Deny("the password " + quoted + " is weak")
		federate("FederatedSecret", refused, "weak", kit.Fields{"template": kit.Fields{"stringData": kit.Fields{"a": quoted}}})
		Eventually(ctx, wordsOf).WithArguments(made[len(made)-1]).Should(ContainSubstring("CreationFailed"))

		mistakesOfBackups(ctx, p, refused)

		By("looking everywhere")
		Expect(len(p)).To(BeNumerically(">", 50))
		var found []string
		for _, c := range append([]*framework.Cluster{host}, members...) {
			found = append(found, p.inCluster(ctx, c)...)
		}
		for line := range strings.Lines(system.Controller.LogTail(1 << 30)) {
			found = append(found, p.in(line, "the log")...)
		}
		found = append(found, p.in(metrics(ctx), "the metrics")...)
		slices.Sort(found)
		Expect(strings.Join(found, "\n\n")).To(BeEmpty())
	}, SpecTimeout(8*time.Minute))
})

// withoutSchema has the host take whatever is written into a spec, as KubeFed's own
// definitions do, until the spec ends.
func withoutSchema(ctx context.Context, name string) {
	GinkgoHelper()
	definition := kit.Named("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name)
	before := kit.At(kit.Found(ctx, host, definition).Object, "/spec")
	kit.Change(ctx, host, definition, func(u *unstructured.Unstructured) {
		kit.Set(u.Object, "/spec/versions/0/schema/openAPIV3Schema/properties/spec", kit.Fields{"type": "object", "x-kubernetes-preserve-unknown-fields": true})
	})
	DeferCleanup(func(ctx SpecContext) {
		kit.Change(ctx, host, definition, func(u *unstructured.Unstructured) { u.Object["spec"] = before })
	}, NodeTimeout(time.Minute))
	// The API server takes a moment to hear of it.
	probe := federated("FederatedSecret", framework.KubeFedNamespace, "probe", kit.Fields{"template": kit.Fields{"immutable": "probe"}})
	Eventually(ctx, func() error { return host.Create(ctx, probe.DeepCopy(), client.DryRunAll) }).Should(Succeed())
}

// echoing has a hostile member quote what it was sent.
var echoing hostile.Mode = func(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Query().Get("watch") != "" {
		hostile.Harmless(w, r)
		return
	}
	echo(w, r)
}

// metrics is what the controller tells of itself.
func metrics(ctx context.Context) string {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+system.Controller.MetricsAddress+"/metrics", nil)
	Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return string(raw)
}

// mistakesOfBackups are made with what repositories are opened with, with hooks, and
// with Secrets that a webhook of the member refuses when they are restored.
func mistakesOfBackups(ctx context.Context, p plants, refused string) {
	GinkgoHelper()
	c := clients[members[0].Name]
	ns := namespace(ctx, c)
	secret := func(name string, data map[string]string) *v1alpha1.LocalReference {
		object := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, StringData: data}
		Expect(c.Create(ctx, object)).To(Succeed())
		return &v1alpha1.LocalReference{Name: name}
	}
	var unusable []*v1alpha1.BackupRepository
	mistaken := func(name string, spec v1alpha1.BackupRepositorySpec) {
		unusable = append(unusable, store(ctx, c, ns, func(r *v1alpha1.BackupRepository) {
			spec.EncryptionSecretRef = r.Spec.EncryptionSecretRef
			r.Name, r.Spec = name, spec
		}))
	}

	By("opening repositories with what does not open them")
	loud := startEcho()
	s3 := func(of map[string]string) v1alpha1.BackupRepositorySpec {
		name := fmt.Sprintf("s3-%d", len(unusable))
		return v1alpha1.BackupRepositorySpec{S3: &v1alpha1.S3Repository{
			Endpoint: loud.URL, Bucket: "bucket", Region: "us-east-1", CABundle: bundle(loud), CredentialsSecretRef: secret(name, of),
		}}
	}
	mistaken("s3-quoted", s3(map[string]string{"accessKeyID": "id", "secretAccessKey": p.text("a key for S3"), "sessionToken": p.text("a session of S3")}))
	mistaken("s3-lines", s3(map[string]string{"accessKeyID": "id", "secretAccessKey": p.text("a key for S3 of two lines") + "\n", "sessionToken": p.text("a session of two lines") + "\n"}))
	gcs := func(name, key string) {
		mistaken(name, v1alpha1.BackupRepositorySpec{GCS: &v1alpha1.GCSRepository{Bucket: "bucket", CredentialsSecretRef: secret(name, map[string]string{"serviceAccountKey": key})}})
	}
	gcs("gcs-cut", `{"type":"service_account","private_key":"`+p.text("a key for GCS that is cut off"))
	gcs("gcs-type", `{"type":"`+p.text("the type of a key for GCS")+`"}`)
	gcs("gcs-pem", `{"type":"service_account","client_email":"a@b","token_uri":"https://oauth2.googleapis.com/token","private_key":"`+p.text("a key for GCS that is none")+`"}`)
	gcs("gcs-address", `{"type":"service_account","client_email":"a@b","private_key":"k","token_uri":"https://127.0.0.1/`+p.text("the address in a key for GCS")+`"}`)
	azure := func(name string, of map[string]string) {
		mistaken(name, v1alpha1.BackupRepositorySpec{Azure: &v1alpha1.AzureRepository{StorageAccount: "account", Container: "container",
			Endpoint: "https://account.invalid", CredentialsSecretRef: *secret(name, of)}})
	}
	azure("azure-key", map[string]string{"storageKey": p.text("a key for Azure") + "%"})
	azure("azure-sas", map[string]string{"sasToken": "sv=2020&sig=" + p.text("a token for Azure")})
	azure("azure-odd", map[string]string{"sasToken": "%zz" + p.text("a token for Azure that is none")})
	for _, repository := range unusable {
		expectUnusable(ctx, c, repository)
	}

	By("running a hook that fails, with a secret among its arguments")
	databasePod(ctx, c, ns)
	store(ctx, c, ns)
	b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
		once(s)
		s.Hooks = &v1alpha1.Hooks{Pre: []v1alpha1.Hook{{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "database"}}, OnError: "Fail",
			Command: []string{"sh", "-c", "exit 3", p.text("an argument of a hook")},
		}}}
	})
	expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)

	By("restoring a Secret that is refused")
	secret("precious", map[string]string{"a": p.text("a Secret that is restored")})
	change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.Hooks = nil })
	expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
	done := restored(ctx, c, ns, v1alpha1.RestoreSpec{
		From: v1alpha1.RestoreSource{RepositoryRef: v1alpha1.LocalReference{Name: "store"}, Backup: b.Name, Latest: true}, NamespaceMapping: map[string]string{ns: refused},
		IncludedResources: []string{"secrets"}, Existing: "Update",
	})
	Expect(done.Status.Phase).NotTo(Equal(v1alpha1.RunSucceeded), "%+v", done.Status)

	By("changing the password under a repository")
	change(ctx, c, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "encryption"}}, func(s *corev1.Secret) {
		s.StringData = map[string]string{"password": p.text("a wrong password of a repository")}
	})
	expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)
}

// expectUnusable waits until a repository says why it cannot be used.
func expectUnusable(ctx context.Context, c client.Client, repository *v1alpha1.BackupRepository) {
	GinkgoHelper()
	Eventually(ctx, func() []metav1.Condition { return current(ctx, c, repository).Status.Conditions }).
		Should(ContainElement(And(HaveField("Type", "Ready"), HaveField("Status", metav1.ConditionFalse))), repository.Name)
}
