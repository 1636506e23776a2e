package logs

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubectl/pkg/cmd/util/podcmd"

	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/lines"
)

// containers are the names of those of a pod that are meant; none, if it has no such one.
func (o *Options) containers(pod *corev1.Pod) []string {
	all := containersOf(pod)
	switch {
	case o.AllContainers:
		return all
	case o.Container != "":
		if slices.Contains(all, o.Container) {
			return []string{o.Container}
		}
		return nil
	}
	if name := pod.Annotations[podcmd.DefaultContainerAnnotationName]; slices.Contains(all, name) {
		return []string{name}
	}
	if len(pod.Spec.Containers) == 0 {
		return nil
	}
	return []string{pod.Spec.Containers[0].Name}
}

// choose says of which containers the log is, where that is not all or not what was asked for.
func (o *Options) choose(cluster string, pod *corev1.Pod, notes *members.Notes) []string {
	names, all := o.containers(pod), containersOf(pod)
	switch {
	case len(names) == 0 && o.Container != "":
		notes.Once("note: pod %s of %s has no container %s, but %s.", pod.Name, cluster, o.Container, strings.Join(all, ", "))
	case len(names) < len(all) && o.Container == "":
		notes.Once("note: of pods with the containers %s it is the log of %s; choose with -c, or take --all-containers.", strings.Join(all, ", "), names[0])
	}
	return names
}

func containersOf(pod *corev1.Pod) (names []string) {
	for i := range pod.Spec.InitContainers {
		names = append(names, pod.Spec.InitContainers[i].Name)
	}
	for i := range pod.Spec.Containers {
		names = append(names, pod.Spec.Containers[i].Name)
	}
	for i := range pod.Spec.EphemeralContainers {
		names = append(names, pod.Spec.EphemeralContainers[i].Name)
	}
	return names
}

// source is how lines of a container are marked: with its name only where there are several.
func source(cluster string, pod *corev1.Pod, container string) lines.Source {
	from := lines.Source{Cluster: cluster, Pod: pod.Name}
	if len(containersOf(pod)) > 1 {
		from.Container = container
	}
	return from
}

// logOptions ask for a container's log, with times, by which lines are put in order.
func (o *Options) logOptions(container string) *corev1.PodLogOptions {
	options := &corev1.PodLogOptions{Container: container, Timestamps: true, Previous: o.Previous, Follow: o.Follow, SinceTime: o.sinceTime}
	if o.Tail >= 0 {
		options.TailLines = &o.Tail
	}
	if o.Since > 0 {
		seconds := max(1, int64(o.Since.Seconds()))
		options.SinceSeconds = &seconds
	}
	return options
}

// statusOf is what is said of a container; nil if nothing is.
func statusOf(pod *corev1.Pod, container string) *corev1.ContainerStatus {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		for i := range statuses {
			if statuses[i].Name == container {
				return &statuses[i]
			}
		}
	}
	return nil
}

// ended says whether a pod has ended for good.
func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
