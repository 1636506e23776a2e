// Package previews is what the commands share that say what the controller makes of
// federated objects: which objects are meant, in the host cluster or in files, and from
// what their previews are computed. It knows no command.
package previews

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/pkg/policy"
)

// Options say which objects are meant.
type Options struct {
	factory *cmdutil.Factory
	schemas *schemas

	Namespace string
	// Filenames are files, folders or URLs, or - for standard input.
	Filenames []string
	// FactsFile is a file that "fedctl get facts" has written; empty asks the host.
	FactsFile string
	// Clusters are those to be shown; none means all.
	Clusters []string
	// Affected has the objects of the host count that policies of the files change: the host
	// is always asked.
	Affected bool
}

// New returns the options of a command.
func New(f *cmdutil.Factory) *Options { return &Options{factory: f} }

// AddFlags adds the flags, with their completions and that of the arguments.
func (o *Options) AddFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "Namespace of the object; by default that of the context.")
	flags.StringSliceVarP(&o.Filenames, "filename", "f", nil, "Files with federated objects, instead of one in the host; - is standard input.")
	if !o.Affected {
		flags.StringVar(&o.FactsFile, "facts", "", "File with what the host holds, from \"fedctl get facts -o yaml\"; no cluster is asked then. Needs -f.")
	}
	flags.StringSliceVar(&o.Clusters, "cluster", nil, "Only these member clusters.")
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(o.factory))
	_ = cmd.RegisterFlagCompletionFunc("cluster", fedtypes.CompleteClusters(o.factory))
	cmd.ValidArgsFunction = fedtypes.CompleteTypeAndName(o.factory, func() fedtypes.Names { return fedtypes.Names{Namespace: o.Namespace} })
}

// Validate checks what needs no cluster.
func (o *Options) Validate(args []string) error {
	switch {
	case len(o.Filenames) > 0 && len(args) > 0:
		return errors.New("give either TYPE NAME or -f, not both")
	case o.FactsFile != "" && len(o.Filenames) == 0:
		return errors.New("--facts needs -f: without a host there are no objects but those of files")
	}
	return nil
}

// Load returns the previews of the objects that are meant, in their order. There is at
// least one.
func (o *Options) Load(ctx context.Context, args []string) ([]*preview.Preview, error) {
	if err := o.Validate(args); err != nil {
		return nil, err
	}
	var previews []*preview.Preview
	var err error
	if len(o.Filenames) > 0 {
		previews, err = o.fromFiles(ctx)
	} else {
		previews, err = o.fromHost(ctx, args)
	}
	if err != nil {
		return nil, err
	}
	o.judge(previews)
	return previews, o.checkClusters(previews)
}

// judge adds what the host's schemas tell of the objects. A host that is not asked, or
// does not say, tells nothing.
func (o *Options) judge(previews []*preview.Preview) {
	known := o.published()
	for _, p := range previews {
		p.Judge(known.of(p.Type.Target.GVK))
	}
}

func (o *Options) fromHost(ctx context.Context, args []string) ([]*preview.Preview, error) {
	typeName, name, err := fedtypes.ParseTypeAndName(args)
	if err != nil {
		return nil, err
	}
	host, err := o.factory.HostClient()
	if err != nil {
		return nil, err
	}
	if err := o.namespaceOfContext(); err != nil {
		return nil, err
	}
	facts, err := o.readFacts(ctx, host, o.Namespace)
	if err != nil {
		return nil, err
	}
	config, err := o.factory.HostConfig()
	if err != nil {
		return nil, err
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	t, err := fedtypes.Resolver{Types: facts.Types, ShortNames: fedtypes.DiscoveredShortNames(discoverer)}.Resolve(typeName)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(t.Federated.GVK)
	key := client.ObjectKey{Name: name}
	if t.Federated.Namespaced {
		key.Namespace = o.Namespace
	}
	if err := host.Get(ctx, key, object); apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no %s %s: choose another namespace with -n, or see \"fedctl status %s -A\"", t.Federated.GVK.Kind, key, t.Name)
	} else if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", t.Federated.GVK.Kind, key, err)
	}
	p, err := facts.Of(object)
	if err != nil {
		return nil, err
	}
	previews := []*preview.Preview{p}
	o.warn(facts.Unmatched(nil, previews)...)
	return previews, nil
}

// warn says what may be mistyped and keeps nobody from anything.
func (o *Options) warn(texts ...string) {
	for _, text := range texts {
		_, _ = fmt.Fprintf(o.factory.ErrOut, "warning: %s\n", text)
	}
}

// fromFiles leaves out objects that are of no federated type, and says so.
func (o *Options) fromFiles(ctx context.Context) ([]*preview.Preview, error) {
	objects, err := readFiles(o.Filenames)
	if err != nil {
		return nil, err
	}
	before, err := o.facts(ctx, objects)
	if err != nil {
		return nil, err
	}
	if err := o.checkFiles(before, objects); err != nil {
		return nil, err
	}
	if err := o.recall(ctx, before, objects); err != nil {
		return nil, err
	}
	facts := before.Under(objects)
	var previews []*preview.Preview
	if o.Affected && slices.ContainsFunc(objects, preview.IsPolicy) {
		if previews, err = o.affected(ctx, before, facts, objects); err != nil {
			return nil, err
		}
	}
	for _, object := range objects {
		p, err := facts.Of(object)
		var notFederated preview.NotFederatedError
		switch {
		case errors.As(err, &notFederated):
			if !preview.IsFact(object) {
				_, _ = fmt.Fprintf(o.factory.ErrOut, "%s %s is left out: %v\n", object.GetKind(), object.GetName(), err)
			}
		case err != nil:
			return nil, err
		default:
			previews = append(previews, p)
		}
	}
	o.warn(facts.Unmatched(objects, previews)...)
	if !o.Affected && len(previews) > 0 { // otherwise the objects of the host count
		for _, idle := range facts.Idle(objects, objects) {
			o.warn(idle + " selects none of the federated objects of the files: see spec.selectors")
		}
	}
	if len(previews) == 0 && (!o.Affected || !slices.ContainsFunc(objects, preview.IsPolicy)) {
		return nil, fmt.Errorf("%s: there is no federated object in it", strings.Join(o.Filenames, ", "))
	}
	return previews, nil
}

// recall gives objects of files the status that they have in the host, where that counts.
func (o *Options) recall(ctx context.Context, facts *preview.Facts, objects []*unstructured.Unstructured) error {
	if !o.Affected {
		return nil
	}
	host, err := o.factory.HostClient()
	if err != nil {
		return err
	}
	for _, object := range objects {
		if _, federated := facts.TypeOf(object); !federated {
			continue
		}
		there := &unstructured.Unstructured{}
		there.SetGroupVersionKind(object.GroupVersionKind())
		err := host.Get(ctx, client.ObjectKeyFromObject(object), there)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading %s %s: %w", object.GetKind(), client.ObjectKeyFromObject(object), err)
		}
		delete(object.Object, "status")
		if status, found := there.Object["status"]; found && err == nil {
			object.Object["status"] = status
		}
	}
	return nil
}

// affected are the objects of the host, but those of the files, that are something else
// under the policies of the files than under those of the host.
func (o *Options) affected(ctx context.Context, before, under *preview.Facts, files []*unstructured.Unstructured) ([]*preview.Preview, error) {
	host, err := o.factory.HostClient()
	if err != nil {
		return nil, err
	}
	var changed []*preview.Preview
	federated := slices.Clone(files)
	for _, t := range under.Types {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(t.Federated.GVK)
		if err := host.List(ctx, list); err != nil {
			return nil, fmt.Errorf("listing %s objects: %w", t.Federated.GVK.Kind, err)
		}
		for i := range list.Items {
			object := &list.Items[i]
			if object.GetDeletionTimestamp() != nil || slices.ContainsFunc(files, func(f *unstructured.Unstructured) bool { return sameObject(f, object) }) {
				continue
			}
			federated = append(federated, object)
			was, err := before.Of(object)
			if err != nil {
				return nil, err
			}
			is, err := under.Of(object)
			if err != nil {
				return nil, err
			}
			if !is.SameAs(was) {
				changed = append(changed, is)
			}
		}
	}
	for _, idle := range under.Idle(files, federated) {
		o.warn(idle + " selects no federated object: see spec.selectors")
	}
	return changed, nil
}

func sameObject(a, b *unstructured.Unstructured) bool {
	return a.GroupVersionKind().GroupKind() == b.GroupVersionKind().GroupKind() && a.GetNamespace() == b.GetNamespace() && a.GetName() == b.GetName()
}

// facts for objects of files, but for the policies of these. A FederatedNamespace in the files
// counts as if it had been applied; objects without a namespace get that of the flag or of the context.
func (o *Options) facts(ctx context.Context, objects []*unstructured.Unstructured) (*preview.Facts, error) {
	if o.FactsFile != "" {
		known, err := readFiles([]string{o.FactsFile})
		if err != nil {
			return nil, err
		}
		facts, err := preview.FromObjects(known, o.factory.KubeFedNamespace)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.FactsFile, err)
		}
		if len(facts.Types) == 0 {
			return nil, fmt.Errorf("%s: there is no FederatedTypeConfig of the namespace %s in it: write it with \"fedctl get facts -o yaml\", or name the namespace with --kubefed-namespace", o.FactsFile, o.factory.KubeFedNamespace)
		}
		o.adopt(facts, objects, "default")
		return facts, nil
	}
	host, err := o.factory.HostClient()
	if err != nil {
		return nil, err
	}
	if err := o.namespaceOfContext(); err != nil {
		return nil, err
	}
	facts, err := o.readFacts(ctx, host, o.namespacesOf(objects)...)
	if err != nil {
		return nil, err
	}
	o.adopt(facts, objects, o.Namespace)
	return facts, nil
}

// namespacesOf are the namespaces of objects of files, whose facts count; none means all:
// where policies are asked what they change, everything may count.
func (o *Options) namespacesOf(objects []*unstructured.Unstructured) []string {
	if o.Affected && slices.ContainsFunc(objects, preview.IsPolicy) {
		return nil
	}
	namespaces := []string{o.Namespace}
	for _, object := range objects {
		if namespace := object.GetNamespace(); namespace != "" && !slices.Contains(namespaces, namespace) {
			namespaces = append(namespaces, namespace)
		}
	}
	return namespaces
}

// adopt gives namespaced objects their namespace, and the facts the FederatedNamespaces of the
// files.
func (o *Options) adopt(facts *preview.Facts, objects []*unstructured.Unstructured, namespace string) {
	if o.Namespace != "" {
		namespace = o.Namespace
	}
	for _, object := range objects {
		if (facts.Namespaced(object) || object.GetKind() == policy.KindOverridePolicy && preview.IsPolicy(object)) && object.GetNamespace() == "" {
			object.SetNamespace(namespace)
		}
		facts.Adopt(object)
	}
}

func (o *Options) readFacts(ctx context.Context, host client.Client, namespaces ...string) (*preview.Facts, error) {
	facts, err := preview.Read(ctx, host, o.factory.KubeFedNamespace, namespaces...)
	if err != nil {
		return nil, err
	}
	o.warn(facts.Warnings...)
	return facts, nil
}

func (o *Options) namespaceOfContext() error {
	if o.Namespace != "" {
		return nil
	}
	var err error
	o.Namespace, err = fedtypes.ContextNamespace(o.factory)
	return err
}

// checkClusters refuses a name of --cluster that no preview knows. One of which nothing is
// decided knows no cluster, and says why by itself.
func (o *Options) checkClusters(previews []*preview.Preview) error {
	for _, name := range o.Clusters {
		known := slices.ContainsFunc(previews, func(p *preview.Preview) bool {
			undecided := p.Problem != "" && len(p.Clusters) == 0
			return undecided || slices.ContainsFunc(p.Clusters, func(c preview.Cluster) bool { return c.Cluster == name })
		})
		if !known {
			return fmt.Errorf("--cluster %s: no such cluster has joined; see \"fedctl get clusters\"", name)
		}
	}
	return nil
}

// Shown are the clusters of a preview that --cluster leaves.
func (o *Options) Shown(p *preview.Preview) []preview.Cluster {
	if len(o.Clusters) == 0 {
		return p.Clusters
	}
	var shown []preview.Cluster
	for _, cluster := range p.Clusters {
		if slices.Contains(o.Clusters, cluster.Cluster) {
			shown = append(shown, cluster)
		}
	}
	return shown
}

// readFiles reads objects as kubectl does: files, folders, URLs, standard input, lists.
func readFiles(names []string) ([]*unstructured.Unstructured, error) {
	infos, err := resource.NewLocalBuilder().Unstructured().
		FilenameParam(false, &resource.FilenameOptions{Filenames: names}).Flatten().Do().Infos()
	if err != nil {
		return nil, err
	}
	objects := make([]*unstructured.Unstructured, 0, len(infos))
	for _, info := range infos {
		if object, ok := info.Object.(*unstructured.Unstructured); ok {
			objects = append(objects, object)
		}
	}
	return objects, nil
}
