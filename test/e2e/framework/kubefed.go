package framework

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
)

// KubeFedConfig is what KubeFed's chart installs, but for shorter delays: in a
// suite, nobody waits 20 s for a cluster to count as available.
const KubeFedConfig = `
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedConfig
metadata: {name: kubefed, namespace: kube-federation-system}
spec:
  scope: Cluster
  controllerDuration: {availableDelay: 1s, unavailableDelay: 2s, cacheSyncTimeout: 5m}
  leaderElect: {leaseDuration: 8s, renewDeadline: 6s, retryPeriod: 1s, resourceLock: configmaps}
  clusterHealthCheck: {period: 2s, failureThreshold: 3, successThreshold: 1, timeout: 3s}
  syncController: {maxConcurrentReconciles: 1, adoptResources: Enabled}
  statusController: {maxConcurrentReconciles: 1}
  featureGates:
  - {name: PushReconciler, configuration: Enabled}
  - {name: SchedulerPreferences, configuration: Enabled}
`

// KubeFedPrograms returns the paths of KubeFed's client and of its controller, which
// "make bin/kubefedctl" builds.
func KubeFedPrograms() (client, controller string, err error) {
	root, err := Root()
	if err != nil {
		return "", "", err
	}
	client, controller = filepath.Join(root, "bin", "kubefedctl"), filepath.Join(root, "bin", "kubefed-controller-manager")
	for _, program := range []string{client, controller} {
		if _, err := os.Stat(program); err != nil {
			return "", "", fmt.Errorf("build KubeFed's programs with \"make bin/kubefedctl\": %w", err)
		}
	}
	return client, controller, nil
}

// InstallKubeFed puts into the host what KubeFed's chart does, but for the Deployments
// and the webhook. config is the KubeFedConfig.
func InstallKubeFed(ctx context.Context, host *Cluster, config string) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kubefed").Output()
	if err != nil {
		return fmt.Errorf("finding KubeFed's chart: %w", err)
	}
	chart := filepath.Join(strings.TrimSpace(string(out)), "charts", "kubefed")
	var files []string
	for _, file := range []string{"charts/controllermanager/crds/crds.yaml", "crds/crds.yaml", "templates/federatedtypeconfig.yaml"} {
		content, err := os.ReadFile(filepath.Join(chart, file))
		if err != nil {
			return err
		}
		files = append(files, string(content))
	}
	types := strings.ReplaceAll(files[2], "\nmetadata:\n", "\nmetadata:\n  namespace: "+KubeFedNamespace+"\n")
	namespace := "{apiVersion: v1, kind: Namespace, metadata: {name: " + KubeFedNamespace + "}}"
	for _, content := range []string{files[0], files[1], namespace, config, types} {
		if err := CreateYAML(ctx, host, content); err != nil {
			return err
		}
	}
	return nil
}

// StartKubeFed runs KubeFed's controller-manager against the host; its log goes to a
// new file in the system's directory.
func StartKubeFed(s *System) (*Process, error) {
	_, program, err := KubeFedPrograms()
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.LoadFromFile(s.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.CurrentContext = s.Host().Name
	kubeconfig := filepath.Join(s.Dir(), "kubefed.kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		return nil, err
	}
	// API servers take the field manager from the program's name: in KubeFed's image it is this one.
	name := filepath.Join(s.Dir(), "controller-manager")
	if err := os.Symlink(program, name); err != nil && !os.IsExist(err) {
		return nil, err
	}
	log := filepath.Join(s.Dir(), "kubefed.log")
	if err := os.Remove(log); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	args := []string{"--kubeconfig", kubeconfig, "--kubefed-namespace", KubeFedNamespace, "--v", "2"}
	for _, flag := range []string{"--healthz-addr", "--metrics-addr"} {
		address, err := FreeAddress()
		if err != nil {
			return nil, err
		}
		args = append(args, flag, address)
	}
	return StartProcess(log, name, args...)
}

// CreateYAML creates the objects of a manifest. One whose type is not served yet, or
// whose namespace is not there, is tried again for a while; one that exists is left.
func CreateYAML(ctx context.Context, c *Cluster, manifest string) error {
	objects, err := ParseYAML(manifest)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for _, object := range objects {
		for {
			err := c.Create(ctx, object)
			if err == nil || apierrors.IsAlreadyExists(err) {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("cluster %s: %s %s: %w", c.Name, object.GetKind(), object.GetName(), err)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}
