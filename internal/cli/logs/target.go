package logs

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubectl/pkg/polymorphichelpers"
	"k8s.io/kubectl/pkg/scheme"

	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/pkg/answers"
)

const (
	// answerTimeout is how long a member may take for one answer.
	answerTimeout = 30 * time.Second
	pageSize      = 500
)

// target is which pods of a member are meant.
type target struct {
	selector string // of labels
	pod      string // the name of one pod
	// ends says that no pods come after those that are there, once they have ended.
	ends bool
}

// resolve finds it out from what is in the member.
func (o *Options) resolve(ctx context.Context, m members.Member) (target, error) {
	if o.name == "" {
		return target{selector: o.Selector, ends: true}, nil
	}
	object, err := members.Find(ctx, m, o.Namespace, o.name)
	if err != nil {
		return target{}, err
	}
	if object.GroupVersionKind().GroupKind() == batchv1.SchemeGroupVersion.WithKind("CronJob").GroupKind() {
		return ofCronJob(ctx, m, object)
	}
	return targetOf(object)
}

// targetOf are the pods of an object: those that it selects.
func targetOf(object *unstructured.Unstructured) (target, error) {
	typed, err := scheme.Scheme.New(object.GroupVersionKind())
	if err == nil {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
			return target{}, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		switch typed := typed.(type) {
		case *corev1.Pod:
			return target{pod: typed.Name, ends: true}, nil
		case *batchv1.Job:
			if selector, err := metav1.LabelSelectorAsSelector(typed.Spec.Selector); err == nil && !selector.Empty() {
				return target{selector: selector.String(), ends: jobEnded(typed)}, nil
			}
		}
		if _, selector, err := polymorphichelpers.SelectorsForObject(typed); err == nil && !selector.Empty() {
			return target{selector: selector.String()}, nil
		}
	}
	selector, err := selectorOf(object.Object)
	if err == nil && selector == "" {
		err = errors.New("it would be all pods")
	}
	if err != nil {
		return target{}, fmt.Errorf("%s %s does not say by a selector which pods are its own; choose them by their labels, with -l: %w", object.GetKind(), object.GetName(), err)
	}
	return target{selector: selector}, nil
}

func jobEnded(job *batchv1.Job) bool {
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// selectorOf reads a custom kind's selector: in its spec as Kubernetes' own have it, or in its
// status as the subresource scale has it.
func selectorOf(object map[string]any) (string, error) {
	if raw, found, _ := unstructured.NestedMap(object, "spec", "selector"); found && len(raw) > 0 {
		selector := &metav1.LabelSelector{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, selector); err == nil && (selector.MatchLabels != nil || selector.MatchExpressions != nil) {
			parsed, err := metav1.LabelSelectorAsSelector(selector)
			if err != nil {
				return "", err
			}
			return parsed.String(), nil
		}
		if set, found, _ := unstructured.NestedStringMap(object, "spec", "selector"); found {
			return labels.SelectorFromSet(set).String(), nil
		}
	}
	if text, found, _ := unstructured.NestedString(object, "status", "selector"); found && text != "" {
		_, err := labels.Parse(text)
		return text, err
	}
	return "", errors.New("there is none")
}

// options select the pods.
func (t target) options() metav1.ListOptions {
	if t.pod != "" {
		return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", t.pod).String()}
	}
	return metav1.ListOptions{LabelSelector: t.selector}
}

// list are the pods that are there, and the version of the list.
func (t target) list(ctx context.Context, c kubernetes.Interface, namespace string) (pods []corev1.Pod, version string, err error) {
	ctx, cancel := context.WithTimeout(answers.WithPages(ctx, &answers.Pages{}), answerTimeout)
	defer cancel()
	options := t.options()
	options.Limit = pageSize
	for {
		page, err := c.CoreV1().Pods(namespace).List(ctx, options)
		if err != nil {
			return nil, "", err
		}
		pods = append(pods, page.Items...)
		if options.Continue = page.Continue; options.Continue == "" {
			return pods, page.ResourceVersion, nil
		}
	}
}
