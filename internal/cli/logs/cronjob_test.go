package logs

import (
	"errors"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

func TestPodsOfTheJobsOfACronJob(t *testing.T) {
	cronJob := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "nightly", UID: "cron"}}
	job := func(owner string, matchLabels map[string]string) *batchv1.Job {
		return &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{UID: cronJob.UID, Name: owner, Controller: ptr.To(true)}}},
			Spec:       batchv1.JobSpec{Selector: &metav1.LabelSelector{MatchLabels: matchLabels}},
		}
	}
	by := func(uid string) map[string]string { return map[string]string{batchv1.ControllerUidLabel: uid} }
	foreign := job("nightly", by("foreign"))
	foreign.OwnerReferences[0].UID = "other"
	written := map[string]string{"app": "nightly", "tier": "batch"}
	for name, c := range map[string]struct {
		jobs []*batchv1.Job
		want string
		err  error
	}{
		"none":                      {nil, batchv1.ControllerUidLabel + " in (cron)", nil},
		"of others":                 {[]*batchv1.Job{foreign}, batchv1.ControllerUidLabel + " in (cron)", nil},
		"one":                       {[]*batchv1.Job{job("nightly", by("a")), foreign}, batchv1.ControllerUidLabel + " in (a)", nil},
		"several":                   {[]*batchv1.Job{job("nightly", by("b")), job("nightly", by("a"))}, batchv1.ControllerUidLabel + " in (a,b)", nil},
		"written, the same":         {[]*batchv1.Job{job("nightly", written), job("nightly", written)}, "app=nightly,tier=batch", nil},
		"written, other ones":       {[]*batchv1.Job{job("nightly", written), job("nightly", by("a"))}, "", errNoOneSelector},
		"by values of other labels": {[]*batchv1.Job{job("nightly", by("a")), job("nightly", map[string]string{"app": "x"})}, "", errNoOneSelector},
	} {
		var selectors []labels.Selector
		for _, j := range c.jobs {
			if selector := selectorOfJob(j, cronJob); selector != nil {
				selectors = append(selectors, selector)
			}
		}
		if got, err := anyOf(selectors, "cron"); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q %v, want %q %v", name, got, err, c.want, c.err)
		}
	}
}
