package framework

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// KubeFedCluster is the kind of a joined cluster.
var KubeFedCluster = schema.GroupVersionKind{Group: "core.kubefed.io", Version: "v1beta1", Kind: "KubeFedCluster"}

// System is a host cluster with the control plane under test and its members.
type System struct {
	Environment
	*Programs

	// Controller is the process under test; nil where it runs in the host cluster.
	Controller *Controller

	dir string
}

// Setup makes the clusters ready for the specs: fedctl installs the control
// plane without its Deployment, the controller runs as a process, and all
// members are joined. Clusters that are installed already are taken as they are; edit
// changes what clusters are started.
func Setup(ctx context.Context, log io.Writer, edit ...func(*localcluster.Options)) (*System, error) {
	dir, err := os.MkdirTemp("", "fedctl-e2e-bin-")
	if err != nil {
		return nil, err
	}
	s := &System{dir: dir}
	if err := s.setUp(ctx, log, edit); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// Prepare starts local clusters of its own and builds the programs; nothing is
// installed and no member joined. edit changes what clusters are started.
func Prepare(ctx context.Context, log io.Writer, members int, edit ...func(*localcluster.Options)) (*System, error) {
	dir, err := os.MkdirTemp("", "fedctl-e2e-bin-")
	if err != nil {
		return nil, err
	}
	s := &System{dir: dir}
	if s.Environment, err = startLocal(ctx, log, members, edit...); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	if s.Programs, err = Build(ctx, s.dir, s); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

func (s *System) setUp(ctx context.Context, log io.Writer, edit []func(*localcluster.Options)) error {
	var err error
	if s.Environment, err = New(ctx, log, edit...); err != nil {
		return err
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(log, format+"\n", args...) }
	say("Building fedctl and the controller")
	if s.Programs, err = Build(ctx, s.dir, s); err != nil {
		return err
	}
	if !s.Installed() {
		say("Installing the control plane and joining the members")
		if err := s.Install(ctx); err != nil {
			return err
		}
	}
	for _, member := range s.Members() {
		if err := s.WaitForMember(ctx, member.Name, true); err != nil {
			return err
		}
	}
	return nil
}

// Install installs the control plane, starts the controller and joins the members.
// A controller from before must have ended.
func (s *System) Install(ctx context.Context) error {
	s.Controller = nil // the token of the one before is that of an account that may be gone
	if err := s.StartControlPlane(ctx); err != nil {
		return err
	}
	for _, member := range s.Members() {
		if _, err := s.Run(ctx, "install", "--member", member.Name); err != nil {
			return err
		}
		if err := s.Join(ctx, member.Name); err != nil {
			return err
		}
	}
	return nil
}

// StartControlPlane installs the control plane into the host, without its
// Deployment, and runs the controller as a process.
func (s *System) StartControlPlane(ctx context.Context) error {
	if _, err := s.Run(ctx, "install", "--without-controller"); err != nil {
		return err
	}
	if s.Controller == nil {
		var err error
		if s.Controller, err = NewController(ctx, s.Programs.Controller, s.dir, s.Host()); err != nil {
			return err
		}
	}
	return s.Controller.Start(ctx)
}

// Dir is a directory for the files of the system's programs; Close removes it.
func (s *System) Dir() string { return s.dir }

// Join joins a cluster, or again one that has joined: its rights and token are
// brought up to date, its address stays.
func (s *System) Join(ctx context.Context, name string) error {
	args := []string{"join", name, "--cluster-context", name}
	joined, err := s.Member(ctx, name)
	switch {
	case err == nil:
		endpoint, _, _ := unstructured.NestedString(joined.Object, "spec", "apiEndpoint")
		args = append(args, "--api-endpoint", endpoint)
	case !apierrors.IsNotFound(err):
		return err
	}
	_, err = s.Run(ctx, args...)
	return err
}

// Member returns the KubeFedCluster of a member.
func (s *System) Member(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(KubeFedCluster)
	return found, s.Host().Get(ctx, client.ObjectKey{Namespace: KubeFedNamespace, Name: name}, found)
}

// readiness is how long the control plane may take to find a member ready, or broken.
const readiness = 3 * time.Minute

// WaitForMember returns when a member's Ready condition is as wanted.
func (s *System) WaitForMember(ctx context.Context, name string, ready bool) error {
	ctx, cancel := context.WithTimeout(ctx, readiness)
	defer cancel()
	want, last := "True", ""
	if !ready {
		want = "False"
	}
	for {
		member, err := s.Member(ctx, name)
		if err == nil {
			conditions, _, _ := unstructured.NestedSlice(member.Object, "status", "conditions")
			last = fmt.Sprint(conditions)
			for _, item := range conditions {
				if condition, ok := item.(map[string]any); ok && condition["type"] == "Ready" && condition["status"] == want {
					return nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("member %s: Ready is not %s after %s: %s: %w", name, want, readiness, last, errors.Join(err, ctx.Err()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Close ends the controller and what the environment has started.
func (s *System) Close(ctx context.Context) error {
	var errs []error
	if s.Controller != nil {
		errs = append(errs, s.Controller.Stop(ctx))
	}
	if s.Environment != nil {
		errs = append(errs, s.Environment.Close(ctx))
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// ApplyFile applies the objects of a YAML file, given by its path in the checkout.
func ApplyFile(ctx context.Context, c *Cluster, path string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return err
	}
	objects, err := ParseYAML(string(content))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, object := range objects {
		if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("fedctl-e2e"), client.ForceOwnership); err != nil {
			return fmt.Errorf("%s: cluster %s: %s %s: %w", path, c.Name, object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// ParseYAML reads objects separated by "---".
func ParseYAML(content string) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(content), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(object.Object) > 0:
			objects = append(objects, object)
		}
	}
}
