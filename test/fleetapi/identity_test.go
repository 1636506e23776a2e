package fleetapi

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// whoAmI asks a member, through the host, who somebody of the host is there.
func whoAmI(ctx context.Context, config *rest.Config, member string) (authenticationv1.UserInfo, error) {
	review, err := clientOf(through(config, member)).AuthenticationV1().SelfSubjectReviews().
		Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}

// eventually asks until RBAC, which takes a moment, lets it.
func eventuallyWho(ctx context.Context, config *rest.Config, member string) authenticationv1.UserInfo {
	GinkgoHelper()
	var who authenticationv1.UserInfo
	Eventually(ctx, func() (err error) {
		who, err = whoAmI(ctx, config, member)
		return err
	}).Should(Succeed())
	return who
}

// account makes a ServiceAccount of the host, and a client with its token.
func account(ctx context.Context, namespace, name string) *rest.Config {
	GinkgoHelper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	Expect(host.Create(ctx, sa)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, sa)).To(Succeed()) }, NodeTimeout(time.Minute))
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](3600)}}
	Expect(host.SubResource("token").Create(ctx, sa, request)).To(Succeed())
	config := rest.AnonymousClientConfig(host.Config)
	config.BearerToken = request.Status.Token
	return config
}

var _ = Describe("Who somebody is in a member", func() {
	It("is who he is in the host: name, uid, groups and what else is said of him", func(ctx SpecContext) {
		letThrough(ctx, user("alice"), everyVerb, "member-1")
		alice := as("alice", "developers")
		alice.Impersonate.UID = "alice-1"
		alice.Impersonate.Extra = map[string][]string{"example.com/Team": {"shop", "payments"}}
		who := eventuallyWho(ctx, alice, "member-1")
		Expect(who.Username).To(Equal("alice"))
		Expect(who.UID).To(Equal("alice-1"))
		Expect(who.Groups).To(ConsistOf("developers", "host:system:authenticated", "system:authenticated"))
		Expect(who.Extra).To(HaveKeyWithValue("example.com/team", authenticationv1.ExtraValue{"shop", "payments"}))
	}, NodeTimeout(3*time.Minute))

	It("is nobody special for who may do anything in the host", func(ctx SpecContext) {
		who := eventuallyWho(ctx, host.Config, "member-1")
		Expect(who.Groups).To(ConsistOf("host:system:masters", "host:system:authenticated", "system:authenticated"))
		_, err := clientOf(through(host.Config, "member-1")).CoreV1().Secrets("kube-system").List(ctx, metav1.ListOptions{})
		Expect(err).To(MatchError(isForbidden, "is forbidden"))

		By("binding the name that it has there")
		allow(ctx, members[0], "masters-of-the-host", group("host:system:masters"), podReader)
		Eventually(ctx, func() error {
			_, err := clientOf(through(host.Config, "member-1")).CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
			return err
		}).Should(Succeed())
	}, NodeTimeout(3*time.Minute))

	It("is for a ServiceAccount of the host not the member's of the same name", func(ctx SpecContext) {
		config := account(ctx, "default", "builder")
		letThrough(ctx, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "builder"}, everyVerb)
		same := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "builder"}}
		Expect(members[0].Create(ctx, same)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(members[0].Delete(ctx, same)).To(Succeed()) }, NodeTimeout(time.Minute))
		allow(ctx, members[0], "the-members-builder", rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "builder"}, podReader)

		who := eventuallyWho(ctx, config, "member-1")
		Expect(who.Username).To(Equal("host:system:serviceaccount:default:builder"))
		Expect(who.Groups).To(ConsistOf("host:system:serviceaccounts", "host:system:serviceaccounts:default", "host:system:authenticated", "system:authenticated"))
		for key := range who.Extra {
			Expect(key).To(HavePrefix("host:"), "what the host's API server says of a token is not the member's to believe")
		}
		_, err := clientOf(through(config, "member-1")).CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
		Expect(err).To(MatchError(isForbidden, "is forbidden"))
	}, NodeTimeout(3*time.Minute))

	DescribeTable("is not let through", func(ctx SpecContext, name string, groups []string, says string) {
		letThrough(ctx, group("odd"), everyVerb)
		Eventually(ctx, func() error {
			_, err := whoAmI(ctx, as(name, append(groups, "odd")...), "member-1")
			return err
		}).Should(MatchError(ContainSubstring(says)))
	},
		Entry("who is named as if he were of the host", "host:system:masters", nil, `begins with "host:"`, NodeTimeout(3*time.Minute)),
		Entry("who is in a group named as if it were the host's", "eve", []string{"host:system:masters"}, `begins with "host:"`, NodeTimeout(3*time.Minute)))

	It("is, for the account that it is done with, nobody: it may impersonate and nothing else", func(ctx SpecContext) {
		secret := &corev1.Secret{}
		secret.Namespace, secret.Name = framework.KubeFedNamespace, "member-1-fleet-access"
		Expect(host.Get(ctx, keyOf(secret), secret)).To(Succeed())
		config := rest.AnonymousClientConfig(members[0].Config)
		config.BearerToken = string(secret.Data["token"])
		itself := clientOf(config)
		who, err := itself.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(who.Status.UserInfo.Username).To(HaveSuffix("-fleet"))
		for what, err := range map[string]error{
			"list Secrets":    errOf(itself.CoreV1().Secrets("").List(ctx, metav1.ListOptions{})),
			"list Pods":       errOf(itself.CoreV1().Pods("").List(ctx, metav1.ListOptions{})),
			"list Namespaces": errOf(itself.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})),
			"list its roles":  errOf(itself.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{})),
		} {
			Expect(err).To(MatchError(isForbidden, "is forbidden"), what)
		}
		By("being the member's own ServiceAccount")
		config.Impersonate.UserName = "system:serviceaccount:kube-system:namespace-controller"
		Expect(errOf(clientOf(config).CoreV1().Pods("").List(ctx, metav1.ListOptions{}))).To(MatchError(isForbidden, "is forbidden"))
	}, NodeTimeout(3*time.Minute))

	It("is said in no other way: the server reads no token but those it was given", func(ctx SpecContext) {
		config := ownRights(ctx)
		Expect(errOf(clientOf(config).CoreV1().Secrets(framework.KubeFedNamespace).Get(ctx, "member-1-credentials", metav1.GetOptions{}))).
			To(MatchError(isForbidden, "is forbidden"), "the token of the controller")
		Expect(errOf(clientOf(config).CoreV1().Secrets(framework.KubeFedNamespace).List(ctx, metav1.ListOptions{}))).To(MatchError(isForbidden, "is forbidden"))
		Expect(errOf(clientOf(config).CoreV1().Secrets(framework.KubeFedNamespace).Get(ctx, "member-1-fleet-access", metav1.GetOptions{}))).To(Succeed())
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("What somebody may", func() {
	It("takes the host's leave for this member and this verb, and the member's", func(ctx SpecContext) {
		letThrough(ctx, user("bob"), []string{"get"}, "member-1")
		for _, member := range members {
			allow(ctx, member, "bobs", user("bob"), podReader, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create"}})
		}
		bob := as("bob")
		Eventually(ctx, func() error {
			return errOf(clientOf(through(bob, "member-1")).CoreV1().Pods("").List(ctx, metav1.ListOptions{}))
		}).Should(Succeed())

		By("reading what the member does not let him")
		err := errOf(clientOf(through(bob, "member-1")).CoreV1().Secrets("").List(ctx, metav1.ListOptions{}))
		Expect(err).To(MatchError(ContainSubstring(`User "bob" cannot list resource "secrets"`)))

		By("going to a member that the host does not let him")
		err = errOf(clientOf(through(bob, "member-2")).CoreV1().Pods("").List(ctx, metav1.ListOptions{}))
		Expect(err).To(MatchError(ContainSubstring(`clusters.fleet.fedctl.io "member-2" is forbidden: User "bob" cannot get resource "clusters/proxy"`)))

		By("writing, which the member would let him, and the host does not")
		_, err = clientOf(through(bob, "member-1")).CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "bobs"}}, metav1.CreateOptions{})
		Expect(err).To(MatchError(ContainSubstring(`User "bob" cannot create resource "clusters/proxy"`)))
	}, NodeTimeout(3*time.Minute))

	It("takes the right to create for a stream in both directions, whatever its method", func(ctx SpecContext) {
		letThrough(ctx, user("carol"), []string{"get"}, "member-1")
		carol := as("carol")
		Eventually(ctx, func() error { _, err := clientOf(through(carol, "member-1")).Discovery().ServerVersion(); return err }).Should(Succeed())
		header := http.Header{
			"Impersonate-User": {"carol"}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-WebSocket-Version": {"13"},
			"Sec-WebSocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-WebSocket-Protocol": {"v5.channel.k8s.io"},
		}
		got := throughHost(ctx, http.MethodGet, proxyPath("member-1", "/api/v1/namespaces/default/pods/p/exec?command=id&stdout=true"), header)
		Expect(got.Code).To(Equal(http.StatusForbidden))
		Expect(got.Body).To(ContainSubstring("may not create clusters/proxy"))
	}, NodeTimeout(3*time.Minute))

	It("does not take over what he pretends: to be another is checked by the host", func(ctx SpecContext) {
		config := account(ctx, "default", "pretender")
		letThrough(ctx, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "pretender"}, everyVerb)
		letThrough(ctx, user("dora"), everyVerb)
		Expect(eventuallyWho(ctx, config, "member-1").Username).To(Equal("host:system:serviceaccount:default:pretender"))

		By("through the host")
		config.Impersonate.UserName = "dora"
		_, err := whoAmI(ctx, config, "member-1")
		Expect(err).To(MatchError(MatchRegexp(`serviceaccount:default:pretender" cannot impersonate`)))

		By("at the server itself, which asks the host as well")
		direct := rest.CopyConfig(config)
		direct.Host, direct.TLSClientConfig = "https://"+server.Address, rest.TLSClientConfig{Insecure: true}
		_, err = whoAmI(ctx, direct, "member-1")
		Expect(err).To(MatchError(MatchRegexp(`serviceaccount:default:pretender" cannot impersonate`)))

		By("with the leave of the host")
		allow(ctx, host, "pretender-may", rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "pretender"},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{"dora"}, Verbs: []string{"impersonate"}})
		for _, c := range []*rest.Config{config, direct} {
			Expect(eventuallyWho(ctx, c, "member-1").Username).To(Equal("dora"))
		}
	}, NodeTimeout(4*time.Minute))

	It("is nothing without a login, or with one of another host", func(ctx SpecContext) {
		nobody := rest.AnonymousClientConfig(host.Config)
		_, err := whoAmI(ctx, nobody, "member-1")
		Expect(err).To(HaveOccurred())
		stranger := rest.AnonymousClientConfig(host.Config)
		request := &authenticationv1.TokenRequest{}
		Expect(members[0].SubResource("token").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "default"}}, request)).To(Succeed())
		stranger.BearerToken = request.Status.Token
		for _, address := range []string{host.Config.Host, "https://" + server.Address} {
			config := rest.CopyConfig(stranger)
			if config.Host = address; address != host.Config.Host {
				config.TLSClientConfig = rest.TLSClientConfig{Insecure: true}
			}
			_, err = whoAmI(ctx, config, "member-1")
			Expect(err).To(MatchError(ContainSubstring("nauthorized")), address)
		}
	}, NodeTimeout(3*time.Minute))

	It("is not what headers say that only the host's API server may send", func(ctx SpecContext) {
		config := account(ctx, "default", "smuggler")
		letThrough(ctx, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "smuggler"}, everyVerb)
		Expect(eventuallyWho(ctx, config, "member-1").Username).To(Equal("host:system:serviceaccount:default:smuggler"))
		insecure := &rest.Config{TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
		header := http.Header{
			"Authorization": {"Bearer " + config.BearerToken}, "X-Remote-User": {"dora"}, "X-Remote-Group": {"system:masters"},
		}
		got, err := raw(ctx, insecure, server.Address, http.MethodPost, proxyPath("member-1", "/apis/authentication.k8s.io/v1/selfsubjectreviews"), withBody(header))
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Body).NotTo(ContainSubstring("dora"))
		header.Del("Authorization")
		got, err = raw(ctx, insecure, server.Address, http.MethodGet, proxyPath("member-1", "/version"), header)
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Code).To(Equal(http.StatusForbidden), got.Body)
	}, NodeTimeout(3*time.Minute))
})
