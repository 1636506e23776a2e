package support

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

const (
	// lastLines and mostOfLog are how much of a log is taken.
	lastLines = 20000
	mostOfLog = 32 << 20
)

// logs writes those of the controller's Pods, and of the containers before those.
func (d *dump) logs(ctx context.Context) error {
	namespace := d.factory.KubeFedNamespace
	pods, err := d.clients.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + kubefedconfig.Controller})
	if err != nil {
		d.problem("the controller's Pods", err)
		return nil
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		for j := range pod.Status.ContainerStatuses {
			status := &pod.Status.ContainerStatuses[j]
			if err := d.log(ctx, pod, status.Name, false); err != nil {
				return err
			}
			if status.LastTerminationState.Terminated != nil {
				if err := d.log(ctx, pod, status.Name, true); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (d *dump) log(ctx context.Context, pod *corev1.Pod, container string, previous bool) error {
	d.tell("reading the log of Pod " + pod.Name)
	stream, err := d.clients.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: container, Previous: previous, TailLines: ptr.To(int64(lastLines)), LimitBytes: ptr.To(int64(mostOfLog))}).Stream(ctx)
	if err != nil {
		d.problem("the log of Pod "+pod.Name, err)
		return nil
	}
	defer stream.Close() //nolint:errcheck // it was read
	name := pod.Name + "-" + container
	if previous {
		name += "-previous"
	}
	return d.copyLog(filepath.Join("logs", name+".log"), "the log of Pod "+pod.Name, stream)
}

// copyLog writes a log as it comes.
func (d *dump) copyLog(name, what string, stream io.Reader) error {
	out := d.newFile(name)
	lines := &reading{from: io.LimitReader(stream, mostOfLog)}
	copied, err := io.Copy(struct{ io.Writer }{out}, lines)
	switch {
	case lines.err != nil:
		d.problem(what, lines.err)
		err = nil
	case copied == mostOfLog:
		d.problem(what, fmt.Errorf("it is longer than %d MiB: its end is missing", mostOfLog>>20))
	}
	return out.end(err)
}

// reading tells errors of reading from those of writing.
type reading struct {
	from io.Reader
	err  error
}

func (r *reading) Read(into []byte) (int, error) {
	n, err := r.from.Read(into)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
