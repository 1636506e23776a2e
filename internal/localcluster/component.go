package localcluster

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// markEnv marks every process of a fleet with the file that records it, so that
// a process is found even when its record was never written.
const markEnv = "FEDCTL_LOCAL_PROCESS"

// args returns the command line of a component. Every component runs in the
// cluster's directory.
func (c *Cluster) args(component string) []string {
	var args []string
	switch component {
	case Etcd:
		args = c.etcdArgs()
	case APIServer:
		args = c.apiServerArgs()
	case ControllerManager:
		args = c.controllerManagerArgs()
	case Scheduler:
		args = []string{
			"--kubeconfig=" + c.componentConfig(Scheduler),
			"--leader-elect=false",
			"--secure-port=0",
			"--kube-api-qps=200", "--kube-api-burst=400",
		}
	case Kwok:
		args = []string{
			"--kubeconfig=" + c.componentConfig(Kwok),
			"--config=" + filepath.Join(c.Dir, "stages.yaml"),
			"--manage-all-nodes=true",
			"--node-lease-duration-seconds=0",
			"--v=WARN", // at INFO it logs every change of every pod
		}
		if c.state.ExecPort != 0 {
			args = append(args,
				"--server-address="+net.JoinHostPort(loopback, strconv.Itoa(c.state.ExecPort)),
				"--tls-cert-file="+c.pki(serverCert),
				"--tls-private-key-file="+c.pki(serverKey))
		}
	}
	return append(args, c.fleet.state.ExtraArgs[component]...)
}

// Etcd listens on sockets in the cluster's directory only: no port, no other
// user of the machine, and nothing to encrypt. The paths are relative because
// the length of a socket's path is limited, and need something like a port.
const (
	etcdSocket = "unix://etcd:0"
	peerSocket = "unix://peer:0"
)

func (c *Cluster) etcdArgs() []string {
	return []string{
		"--name=" + c.Name,
		"--data-dir=etcd",
		// The data outlives the process, not a power cut: that is enough here.
		"--unsafe-no-fsync",
		"--listen-client-urls=" + etcdSocket,
		"--advertise-client-urls=" + etcdSocket,
		"--listen-peer-urls=" + peerSocket,
		"--initial-advertise-peer-urls=" + peerSocket,
		"--initial-cluster=" + c.Name + "=" + peerSocket,
		"--log-level=warn",
	}
}

func (c *Cluster) apiServerArgs() []string {
	return []string{
		"--etcd-servers=" + etcdSocket,
		"--bind-address=" + loopback,
		"--advertise-address=" + loopback,
		"--secure-port=" + strconv.Itoa(c.state.Port),
		// A loopback address cannot be an endpoint of the kubernetes Service.
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + c.pki(serverCert),
		"--tls-private-key-file=" + c.pki(serverKey),
		"--client-ca-file=" + c.pki(caFile),
		"--authorization-mode=Node,RBAC",
		// The aggregation layer: how aggregated API servers know this one, and what it tells
		// them of users.
		"--requestheader-client-ca-file=" + c.frontProxy(frontCAFile),
		"--requestheader-allowed-names=" + frontProxyUser,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-uid-headers=X-Remote-Uid",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.frontProxy(frontCert),
		"--proxy-client-key-file=" + c.frontProxy(frontKey),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.pki(tokenPublic),
		"--service-account-signing-key-file=" + c.pki(tokenKey),
		"--service-cluster-ip-range=" + c.serviceNetwork(),
		"--allow-privileged=true",
		// It taints new nodes as not ready for node-lifecycle-controller to free them, which does not run.
		"--disable-admission-plugins=TaintNodesByCondition",
		// The address that nodes have where kwok serves commands in pods.
		"--kubelet-preferred-address-types=ExternalIP,InternalIP",
		"--profiling=true",
	}
}

func (c *Cluster) controllerManagerArgs() []string {
	return []string{
		"--kubeconfig=" + c.componentConfig(ControllerManager),
		"--controllers=" + strings.Join(c.fleet.state.Controllers, ","),
		"--root-ca-file=" + c.pki(caFile),
		"--service-account-private-key-file=" + c.pki(tokenKey),
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=200", "--kube-api-burst=400",
	}
}

// start runs a component and records its process. exited is closed when the
// process ends.
func (c *Cluster) start(component string, dieWithParent bool) (exited <-chan struct{}, err error) {
	for _, dir := range []string{filepath.Dir(c.LogPath(component)), filepath.Dir(c.record(component))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(c.LogPath(component), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(c.fleet.state.Binary) //nolint:noctx // the process outlives the call
	command.Args = append([]string{component}, c.args(component)...)
	command.Dir = c.Dir
	command.Env = c.environment(component)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = detach(dieWithParent)
	onLastingThread(func() { err = command.Start() })
	if err != nil {
		return nil, fmt.Errorf("starting %s of cluster %s: %w", component, c.Name, err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = command.Wait() }()
	p, err := identify(command.Process.Pid)
	if err == nil {
		err = p.write(c.record(component))
	}
	if err != nil {
		_ = command.Process.Kill()
		return nil, fmt.Errorf("recording %s of cluster %s: %w", component, c.Name, err)
	}
	return done, nil
}

// environment gives a component what it needs and nothing of the user's: a
// proxy, a KUBECONFIG or a configuration in the home directory must not matter.
func (c *Cluster) environment(component string) []string {
	return []string{
		markEnv + "=" + c.record(component),
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + c.Dir,
		"TMPDIR=" + os.TempDir(),
		"KWOK_WORKDIR=" + c.Dir,
	}
}

// graces is how long a component may take to finish its work; the others have none.
var graces = map[string]time.Duration{APIServer: 3 * time.Second, Etcd: 3 * time.Second}

// stop ends the cluster's processes, those that talk to the API server first,
// etcd last. The API server and etcd may finish their work.
func (c *Cluster) stop() error {
	for i := len(Components) - 1; i >= 0; i-- {
		component := Components[i]
		if err := c.process(component).kill(graces[component]); err != nil {
			return fmt.Errorf("stopping %s of cluster %s: %w", component, c.Name, err)
		}
		_ = os.Remove(c.record(component))
	}
	return nil
}
