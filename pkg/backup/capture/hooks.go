package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/bounded"
)

const (
	defaultHookTimeout = 30 * time.Second
	// maxHookOutput of each stream of a command that failed is shown.
	maxHookOutput = 300
)

// HookError is a command that failed with onError Fail.
type HookError struct {
	// Hook such as pre[0].
	Hook string
	Err  error
}

func (e *HookError) Error() string { return fmt.Sprintf("spec.hooks.%s: %v", e.Hook, e.Err) }
func (e *HookError) Unwrap() error { return e.Err }

// StatusReason is the reason as a status has it.
func (e *HookError) StatusReason() string { return "HookFailed" }

// preHooks run in their order; the first that fails with onError Fail ends the run.
func (c *capture) preHooks(ctx context.Context) error {
	for i := range c.Hooks.Pre {
		name := fmt.Sprintf("pre[%d]", i)
		err := c.hook(ctx, &c.Hooks.Pre[i])
		switch {
		case err == nil:
		case c.Hooks.Pre[i].OnError == "Continue":
			c.writer.Note(v1alpha1.ResourceWarning{Message: fmt.Sprintf("spec.hooks.%s: %v", name, err)})
		default:
			return &HookError{Hook: name, Err: err}
		}
	}
	return nil
}

// postHooks all run. One that fails does not undo what was saved: with onError Fail
// the snapshot is partial.
func (c *capture) postHooks(ctx context.Context) {
	for i := range c.Hooks.Post {
		name := fmt.Sprintf("post[%d]", i)
		err := c.hook(ctx, &c.Hooks.Post[i])
		if err == nil {
			continue
		}
		warning := v1alpha1.ResourceWarning{Message: fmt.Sprintf("spec.hooks.%s: %v", name, err)}
		if c.Hooks.Post[i].OnError == "Continue" {
			c.writer.Note(warning)
			continue
		}
		c.writer.Warn(warning)
	}
}

// hook runs a command in all pods that are selected and running, one after the other.
// That there is none is an error: whatever the command is for has not been done.
func (c *capture) hook(ctx context.Context, hook *v1alpha1.Hook) error {
	timeout := defaultHookTimeout
	if hook.Timeout != nil && hook.Timeout.Duration > 0 {
		timeout = hook.Timeout.Duration
	}
	client, err := kubernetes.NewForConfig(execConfig(c.Config))
	if err != nil {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(&hook.PodSelector)
	if err != nil {
		return fmt.Errorf("podSelector: %w", err)
	}
	namespace := cmp.Or(hook.Namespace, c.Run.Namespace)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return fmt.Errorf("cannot list the pods in the namespace %s: %w", namespace, err)
	}
	running := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool {
		return pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil
	})
	if len(running) == 0 {
		return fmt.Errorf("selects no running pod in the namespace %s, the command did not run: correct podSelector or namespace, or set onError to Continue", namespace)
	}
	var errs []error
	for i := range running {
		if err := c.exec(ctx, client, &running[i], hook); err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("the command did not end within %s: %w", timeout, err)
			}
			errs = append(errs, fmt.Errorf("pod %s/%s: %w", namespace, running[i].Name, err))
		}
	}
	return errors.Join(errs...)
}

func (c *capture) exec(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, hook *v1alpha1.Hook) error {
	container := hook.Container
	if container == "" && len(pod.Spec.Containers) > 0 {
		container = pod.Spec.Containers[0].Name
	}
	request := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: hook.Command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := executorFor(c.Config, request.URL())
	if err != nil {
		return err
	}
	// Each has a place of its own: the streams do not come in the order in which the
	// command has written to them, and much of one must not hide the other.
	output, problems := bounded.NewTail(maxHookOutput), bounded.NewTail(maxHookOutput)
	if err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: output, Stderr: problems}); err == nil {
		return nil
	}
	if exit := utilexec.ExitError(nil); ctx.Err() == nil && !errors.As(err, &exit) {
		err = fmt.Errorf("the command did not run, or the connection to it was lost: %w", withoutArguments(err, hook.Command))
	}
	for _, said := range []*bounded.Tail{problems, output} {
		if text := said.String(); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
	}
	return err
}
