package analysis

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/typeconfig"

	"github.com/fedctl/fedctl/internal/finding"
)

// gone says which Kubernetes dropped what it once served itself. Without a kind, it
// is all of the group's version.
var gone = map[schema.GroupVersionKind]string{
	{Group: "extensions", Version: "v1beta1"}:                               "1.22",
	{Group: "apps", Version: "v1beta1"}:                                     "1.16",
	{Group: "apps", Version: "v1beta2"}:                                     "1.16",
	{Group: "networking.k8s.io", Version: "v1beta1", Kind: "Ingress"}:       "1.22",
	{Group: "rbac.authorization.k8s.io", Version: "v1beta1"}:                "1.22",
	{Group: "apiextensions.k8s.io", Version: "v1beta1"}:                     "1.22",
	{Group: "batch", Version: "v2alpha1"}:                                   "1.21",
	{Group: "batch", Version: "v1beta1"}:                                    "1.25",
	{Group: "policy", Version: "v1beta1"}:                                   "1.25",
	{Group: "autoscaling", Version: "v2beta1"}:                              "1.25",
	{Group: "autoscaling", Version: "v2beta2"}:                              "1.26",
	{Group: "storage.k8s.io", Version: "v1beta1", Kind: "StorageClass"}:     "1.22",
	{Group: "scheduling.k8s.io", Version: "v1beta1", Kind: "PriorityClass"}: "1.22",
}

func goneSince(gvk schema.GroupVersionKind) string {
	for _, key := range []schema.GroupVersionKind{gvk, gvk.GroupVersion().WithKind("")} {
		if version, ok := gone[key]; ok {
			return " (Kubernetes has not since " + version + ")"
		}
	}
	return ""
}

func (a *analyzer) types() {
	usedBy := map[string]string{} // CRD of a federated type to the FederatedTypeConfig that names it
	namespaced, namespaces := 0, false
	for i := range a.in.Types {
		config := typeconfig.WithDefaults(&a.in.Types[i])
		t, err := typeconfig.FromFederatedTypeConfig(config)
		if err != nil {
			a.find(finding.Finding{Level: finding.Blocks, Code: "type-invalid", Subject: ftc(config.Name), Message: err.Error(), Do: "mend it: kubectl -n " + a.in.Namespace + " edit federatedtypeconfig " + config.Name})
			a.addType(config, typeconfig.Type{Name: config.Name})
			continue
		}
		a.addType(config, t)
		if other, taken := usedBy[t.CRDName()]; taken {
			a.find(finding.Finding{Level: finding.Blocks, Code: "type-conflict", Subject: ftc(t.Name), Message: fmt.Sprintf("it federates through %s, as FederatedTypeConfig %s does: both would act on the same federated objects", t.CRDName(), other),
				Do: "disable one of them: fedctl disable " + t.Name})
		}
		usedBy[t.CRDName()] = t.Name
		namespaces = namespaces || t.IsNamespace
		if config.Spec.Propagation == fedcorev1beta1.PropagationEnabled && t.Target.Namespaced {
			namespaced++
		}
		a.judgeType(config, t)
	}
	if namespaced > 0 && !namespaces && !a.limited() {
		a.find(finding.Finding{Level: finding.Blocks, Code: "namespaces-not-enabled", Message: fmt.Sprintf("there are %d enabled types in namespaces, but no FederatedTypeConfig %s: none of them is propagated without", namespaced, fedcommon.NamespaceName),
			Do: "fedctl enable namespaces"})
	}
	if len(a.in.Types) == 0 {
		a.find(finding.Finding{Level: finding.Warning, Code: "no-types", Message: "there is no FederatedTypeConfig in namespace " + a.in.Namespace + ": nothing is federated, or the chart was uninstalled and they went with it",
			Do: "fedctl install brings the default types, \"fedctl enable TYPE\" each other one; federated objects that exist are then taken over"})
	}
}

func (a *analyzer) addType(config *fedcorev1beta1.FederatedTypeConfig, t typeconfig.Type) {
	target := config.Spec.TargetType
	row := Type{
		Name: config.Name, Propagation: string(config.Spec.Propagation), Status: "Disabled",
		FederatedType: crdName(config),
		Target:        schema.GroupVersion{Group: target.Group, Version: target.Version}.String() + " " + target.Kind,
	}
	if t.StatusCollection {
		row.Status = "Enabled"
	}
	if objects := a.in.Objects[row.FederatedType]; objects != nil {
		row.Objects, row.NotPropagated = objects.Count, objects.NotPropagated
	}
	a.report.Types = append(a.report.Types, row)
}

// judgeType judges a FederatedTypeConfig, its CRD, its target and its objects.
func (a *analyzer) judgeType(config *fedcorev1beta1.FederatedTypeConfig, t typeconfig.Type) {
	find := func(level finding.Level, code, message, do string) {
		a.find(finding.Finding{Level: level, Code: code, Subject: ftc(t.Name), Message: message, Do: do})
	}
	crd := a.crd(t.CRDName())
	switch {
	case crd == nil:
		find(finding.Warning, "type-without-crd", "the CustomResourceDefinition "+t.CRDName()+" does not exist, so there are no federated objects",
			"fedctl enable "+t.Name+", or fedctl disable "+t.Name)
	case crd.Deleting:
		find(finding.Warning, "crd-deleting", "the CustomResourceDefinition "+crd.Name+" is being deleted, and its objects with it", "let it end, then fedctl enable "+t.Name+", or fedctl disable "+t.Name)
	case !crd.KnowsTemplate:
		find(finding.Note, "schema-unknown", "the CustomResourceDefinition "+crd.Name+" is KubeFed's: it does not know the fields of the template",
			"fedctl install renews those of the default types; for others, after the move: fedctl enable "+t.Name)
	}
	if a.in.Served.lacks(t.Target.GVK) {
		find(finding.Warning, "target-gone", fmt.Sprintf("the host does not serve the target %s %s%s; members that do not either cannot get it, under KubeFed or fedctl",
			t.Target.GVK.GroupVersion(), t.Target.GVK.Kind, goneSince(t.Target.GVK)), a.replacement(t))
	}
	if config.DeletionTimestamp != nil {
		find(finding.Warning, "type-deleting", "it is being deleted since "+config.DeletionTimestamp.UTC().Format("2006-01-02 15:04")+"; KubeFed's controller has not let go of it",
			"nothing: fedctl's controller ends that")
	}
	if config.Spec.Propagation != fedcorev1beta1.PropagationEnabled {
		find(finding.Note, "propagation-disabled", "its propagation is switched off, and stays off", "")
	}
	if s := config.Spec.StatusType; s != nil && s.Kind != "" && (s.Group != "core.kubefed.io" || s.PluralName != "federatedservicestatuses") {
		find(finding.Note, "status-type", "fedctl's controller has no right to write objects of spec.statusType "+s.Kind,
			"with spec.statusCollection: Enabled, give the service account fedctl-controller a role with list, watch, create and patch on "+s.PluralName+"."+s.Group)
	}
	if objects := a.in.Objects[t.CRDName()]; objects != nil {
		for _, f := range objects.findings {
			a.find(f)
		}
	}
}

// replacement says what serves the objects of a target that is gone.
func (a *analyzer) replacement(t typeconfig.Type) string {
	var others []string
	for gvk := range a.in.Served.Kinds {
		if gvk.Kind == t.Target.GVK.Kind && gvk != t.Target.GVK {
			others = append(others, gvk.GroupVersion().String())
		}
	}
	if len(others) == 0 {
		return "fedctl disable " + t.Name + " if no member serves it; its objects in the members stay"
	}
	slices.Sort(others)
	return fmt.Sprintf("the kind is served as %s: after the move \"fedctl disable %s\", then \"fedctl enable\" the new one, and adapt the templates",
		strings.Join(others, ", "), t.Name)
}

// strays are federated types and objects without a FederatedTypeConfig.
func (a *analyzer) strays() {
	used := map[string]bool{}
	for i := range a.in.Types {
		used[crdName(typeconfig.WithDefaults(&a.in.Types[i]))] = true
	}
	for i := range a.in.CRDs {
		crd := &a.in.CRDs[i]
		if used[crd.Name] {
			continue
		}
		f := finding.Finding{Level: finding.Note, Code: "crd-without-type", Subject: crd.Name,
			Message: "no FederatedTypeConfig uses this federated type; it has no objects",
			Do:      "kubectl delete customresourcedefinition " + crd.Name + ", if nobody needs it"}
		if objects := a.in.Objects[crd.Name]; objects != nil && objects.Count > 0 {
			f.Level, f.Code = finding.Warning, "objects-without-type"
			f.Message = fmt.Sprintf("no FederatedTypeConfig uses this federated type, so its objects (%d) are not propagated", objects.Count)
			if objects.Held > 0 {
				f.Message += fmt.Sprintf("; the finalizer %s of %d of them keeps them from being deleted", "kubefed.io/sync-controller", objects.Held)
			}
			f.Do = "enable the type again (fedctl enable " + strings.TrimPrefix(crd.Plural, "federated") + "), or delete the objects"
		}
		a.find(f)
	}
}

func (a *analyzer) crd(name string) *CRD {
	for i := range a.in.CRDs {
		if a.in.CRDs[i].Name == name {
			return &a.in.CRDs[i]
		}
	}
	return nil
}

func crdName(config *fedcorev1beta1.FederatedTypeConfig) string {
	federated := config.Spec.FederatedType
	return federated.PluralName + "." + federated.Group
}

func ftc(name string) string { return "federatedtypeconfig " + name }
