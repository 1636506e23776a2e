package reach

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	clientauthv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/yaml"
)

// CredentialPluginAnnotation of a KubeFedCluster names a plugin that gives the token, in
// place of its Secret. Which there are, what they run and whom they may be used for, is
// the operator's of the controller to say, in a file of his: never the writer's of a
// KubeFedCluster or a Secret, who could run anything otherwise, or have a cloud's token
// sent to himself.
const CredentialPluginAnnotation = "fedctl.io/credential-plugin" //nolint:gosec // a name

// Plugins are those that may be named, by their names.
type Plugins map[string]*Plugin

// Plugin runs a program that prints an ExecCredential, as those of kubeconfigs and of
// ClusterProfiles do.
type Plugin struct {
	Name string     `json:"name"`
	Exec ExecConfig `json:"execConfig"`
	// Servers are the hosts that its token may be sent to: names, or *.example.com for
	// all below example.com.
	Servers []string `json:"servers"`
}

// ExecConfig says what is run, in the words of a kubeconfig.
type ExecConfig struct {
	APIVersion string   `json:"apiVersion"`
	Command    string   `json:"command"`
	Args       []string `json:"args,omitempty"`
	Env        []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"env,omitempty"`
}

// ReadPlugins reads the operator's file; an empty path is that of no file.
func ReadPlugins(path string) (Plugins, error) {
	if path == "" {
		return Plugins{}, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Providers []*Plugin `json:"providers"`
	}
	if err := yaml.UnmarshalStrict(raw, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	plugins := Plugins{}
	for i, p := range file.Providers {
		if err := p.validate(); err != nil {
			return nil, fmt.Errorf("%s: providers[%d]: %w", path, i, err)
		}
		if plugins[p.Name] != nil {
			return nil, fmt.Errorf("%s: providers[%d].name: %s is there twice", path, i, p.Name)
		}
		plugins[p.Name] = p
	}
	return plugins, nil
}

func (p *Plugin) validate() error {
	switch {
	case p.Name == "":
		return errors.New("name: is empty")
	case p.Exec.APIVersion != clientauthv1.SchemeGroupVersion.String():
		return fmt.Errorf("execConfig.apiVersion: must be %s", clientauthv1.SchemeGroupVersion)
	case !filepath.IsAbs(p.Exec.Command):
		return fmt.Errorf("execConfig.command: %q must be an absolute path", p.Exec.Command)
	case len(p.Servers) == 0:
		return errors.New("servers: name the hosts that its token may be sent to, such as *.eks.amazonaws.com")
	}
	return nil
}

// allows says whether the token may be sent to an address.
func (p *Plugin) allows(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return slices.ContainsFunc(p.Servers, func(server string) bool {
		server = strings.ToLower(server)
		if below, wild := strings.CutPrefix(server, "*"); wild {
			return strings.HasPrefix(below, ".") && strings.HasSuffix(host, below) && host != below[1:]
		}
		return host == server
	})
}

// AccessOf is AccessOf for a cluster that may name one of the plugins.
func (p Plugins) AccessOf(kfc *fedcorev1beta1.KubeFedCluster, secret *corev1.Secret) (Access, error) {
	name, named := kfc.Annotations[CredentialPluginAnnotation]
	if !named {
		return accessOf(kfc, secret, nil)
	}
	plugin := p[name]
	if plugin == nil {
		return Access{}, fmt.Errorf("annotation %s: %q is not one of the credential plugins that the controller may run (its setting credential-plugins)", CredentialPluginAnnotation, name)
	}
	a, err := accessOf(kfc, secret, plugin)
	if err != nil {
		return a, err
	}
	if !plugin.allows(a.Endpoint) || len(a.Validations) > 0 {
		return a, fmt.Errorf("annotation %s: the token of plugin %s is not sent to %s: the controller's setting credential-plugins allows %s, with all checks of TLS",
			CredentialPluginAnnotation, name, a.Endpoint, strings.Join(plugin.Servers, ", "))
	}
	return a, nil
}

const (
	pluginTimeout = 30 * time.Second
	mostOfPlugin  = 1 << 20
	// pluginEarly is how long before its end a token is asked for anew, and pluginKept
	// how long one is used that does not tell its end.
	pluginEarly = time.Minute
	pluginKept  = 5 * time.Minute
)

// run is one use of a plugin: for one cluster, with what it gave last.
type run struct {
	plugin   *Plugin
	endpoint string
	ca       []byte

	mu    sync.Mutex // held while it runs: all wait for the same
	token string
	until time.Time
}

// get returns the token, asking for the next when it is time.
func (r *run) get(ctx context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.token != "" && time.Now().Before(r.until) {
		return r.token, nil
	}
	status, err := r.ask(ctx)
	if err != nil {
		return "", fmt.Errorf("credential plugin %s: %w", r.plugin.Name, err)
	}
	r.token, r.until = status.Token, time.Now().Add(pluginKept)
	if end := status.ExpirationTimestamp; end != nil {
		r.until = end.Add(-pluginEarly)
	}
	return r.token, nil
}

// refused forgets a token that was not accepted.
func (r *run) refused(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.token == token {
		r.token = ""
	}
}

// ask runs the program. What it prints beside the credential may hold secrets, and is
// not quoted.
func (r *run) ask(ctx context.Context) (*clientauthv1.ExecCredentialStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, pluginTimeout)
	defer cancel()
	request := clientauthv1.ExecCredential{Spec: clientauthv1.ExecCredentialSpec{
		Cluster: &clientauthv1.Cluster{Server: r.endpoint, CertificateAuthorityData: r.ca},
	}}
	request.APIVersion, request.Kind = clientauthv1.SchemeGroupVersion.String(), "ExecCredential"
	info, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, r.plugin.Exec.Command, r.plugin.Exec.Args...) // the operator's choice
	command.Env = append(os.Environ(), "KUBERNETES_EXEC_INFO="+string(info))
	for _, variable := range r.plugin.Exec.Env {
		command.Env = append(command.Env, variable.Name+"="+variable.Value)
	}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &limited{to: &out, left: mostOfPlugin}, io.Discard
	command.WaitDelay = time.Second // what it has started may keep its output open
	if err := command.Run(); err != nil {
		return nil, err
	}
	var answer clientauthv1.ExecCredential
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil || answer.Kind != "ExecCredential" || answer.Status == nil {
		return nil, errors.New("it printed no ExecCredential with a status")
	}
	if answer.Status.Token == "" {
		return nil, errors.New("it gave no token; client certificates are not used")
	}
	return answer.Status, nil
}

// limited fails when more is written than fits.
type limited struct {
	to   io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errors.New("it printed too much")
	}
	return l.to.Write(p)
}
