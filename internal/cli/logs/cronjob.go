package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/kubernetes"

	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/pkg/answers"
)

// ofCronJob are the pods of the Jobs that a CronJob owns. It has no selector, and its next Job
// comes with another: as long as logs are followed, the Jobs are looked for again and again.
func ofCronJob(ctx context.Context, m members.Member, cronJob metav1.Object) (target, error) {
	ctx, cancel := context.WithTimeout(answers.WithPages(ctx, &answers.Pages{}), answerTimeout)
	defer cancel()
	c, err := kubernetes.NewForConfig(m.Config)
	if err != nil {
		return target{}, err
	}
	var selectors []labels.Selector
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.BatchV1().Jobs(cronJob.GetNamespace()).List(ctx, options)
		if err != nil {
			return target{}, err
		}
		for i := range page.Items {
			if selector := selectorOfJob(&page.Items[i], cronJob); selector != nil {
				selectors = append(selectors, selector)
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	together, err := anyOf(selectors, string(cronJob.GetUID()))
	if err != nil {
		return target{}, fmt.Errorf("CronJob %s: %w", cronJob.GetName(), err)
	}
	return target{selector: together}, nil
}

// selectorOfJob is that of a Job which the CronJob owns; nil if it does not.
func selectorOfJob(job *batchv1.Job, cronJob metav1.Object) labels.Selector {
	if !metav1.IsControlledBy(job, cronJob) {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil || selector.Empty() {
		return nil // it has no pods that can be told from others
	}
	return selector
}

var errNoOneSelector = errors.New("its Jobs do not select their pods by the values of one label; choose them by their labels, with -l")

// anyOf selects what any of the selectors does: those of Jobs each want another value of one
// label, unless somebody has written them. Without any it selects nothing: no pod has the UID of
// its CronJob for that of its Job.
func anyOf(selectors []labels.Selector, uid string) (string, error) {
	key, values := batchv1.ControllerUidLabel, []string{uid}
	for i, selector := range selectors {
		requirements, _ := selector.Requirements()
		if i == 0 && len(requirements) > 0 {
			key, values = requirements[0].Key(), nil
		}
		one := len(requirements) == 1 && requirements[0].Key() == key && slices.Contains([]selection.Operator{selection.In, selection.Equals}, requirements[0].Operator())
		switch {
		case !one && !slices.ContainsFunc(selectors, func(other labels.Selector) bool { return other.String() != selector.String() }):
			return selector.String(), nil // all want the same
		case !one:
			return "", errNoOneSelector
		}
		values = append(values, requirements[0].ValuesUnsorted()...)
	}
	any, err := labels.NewRequirement(key, selection.In, values)
	if err != nil {
		return "", err
	}
	return any.String(), nil
}
