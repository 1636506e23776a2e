package localcluster_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// bare is a fleet of one cluster that has only etcd and the API server.
func bare(dir string) localcluster.Options {
	return localcluster.Options{
		Dir: dir, HostNodes: localcluster.None, DieWithParent: true, Log: GinkgoWriter,
		Without: []string{localcluster.ControllerManager, localcluster.Scheduler, localcluster.Kwok},
	}
}

var _ = Describe("A start that goes wrong", func() {
	It("names a busy port and leaves nothing behind", func(ctx context.Context) {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		defer func() { _ = listener.Close() }()
		port := listener.Addr().(*net.TCPAddr).Port
		options := bare(filepath.Join(tempDir(), "fleet"))
		options.PortBase = port
		_, err = localcluster.Up(ctx, options)
		Expect(err).To(MatchError(And(ContainSubstring("port %d of cluster host is in use", port), ContainSubstring("--ports"))))
		Expect(options.Dir).NotTo(BeADirectory())
	})

	It("says what to do without the binary, or with another program", func(ctx context.Context) {
		options := bare(filepath.Join(tempDir(), "fleet"))
		options.Binary = "/nowhere/kubernetes"
		_, err := localcluster.Up(ctx, options)
		Expect(err).To(MatchError(And(ContainSubstring("/nowhere/kubernetes"), ContainSubstring("make bin/kubernetes"))))
		Expect(options.Dir).NotTo(BeADirectory())

		options.Binary = "/bin/echo"
		_, err = localcluster.Up(ctx, options)
		Expect(err).To(MatchError(And(ContainSubstring("is not the Kubernetes binary"), ContainSubstring("make bin/kubernetes"))))
		Expect(options.Dir).NotTo(BeADirectory())
	})

	It("repeats the last words of a component that ends", func(ctx context.Context) {
		options := bare(filepath.Join(tempDir(), "fleet"))
		options.ExtraArgs = map[string][]string{localcluster.APIServer: {"--authorization-mode=Wishful"}}
		_, err := localcluster.Up(ctx, options)
		Expect(err).To(MatchError(And(ContainSubstring("kube-apiserver of cluster host ended"), ContainSubstring("Wishful"))))
		Expect(options.Dir).NotTo(BeADirectory())
		Expect(processesOf(options.Dir)).To(BeEmpty())
	})

	It("ends its processes when it is interrupted", func(ctx context.Context) {
		options := bare(filepath.Join(tempDir(), "fleet"))
		ctx, cancel := context.WithCancel(ctx)
		failed := make(chan error, 1)
		go func() {
			_, err := localcluster.Up(ctx, options)
			failed <- err
		}()
		Eventually(processesOf).WithArguments(options.Dir).ShouldNot(BeEmpty())
		cancel()
		Eventually(failed).Should(Receive(MatchError(ContainSubstring("interrupted"))))
		Expect(processesOf(options.Dir)).To(BeEmpty())
		Expect(options.Dir).NotTo(BeADirectory())
	})

	It("refuses a directory with other files", func(ctx context.Context) {
		dir := tempDir()
		Expect(os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600)).To(Succeed())
		_, err := localcluster.Up(ctx, bare(dir))
		Expect(err).To(MatchError(ContainSubstring("is not empty (notes)")))
		Expect(filepath.Join(dir, "notes")).To(BeAnExistingFile())
	})
})

var _ = Describe("A program that is killed", func() {
	// killed brings a fleet up in another process and kills it once two processes run.
	killed := func(dir string, environment ...string) {
		GinkgoHelper()
		self, err := os.Executable()
		Expect(err).NotTo(HaveOccurred())
		command := exec.Command(self, "-test.run=TestLocalClusters")
		command.Env = append(os.Environ(), append(environment, upEnv+"="+dir)...)
		command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
		Expect(command.Start()).To(Succeed())
		Eventually(processesOf).WithArguments(dir).Should(HaveLen(2))
		Expect(command.Process.Kill()).To(Succeed())
		_ = command.Wait()
	}

	It("leaves processes that the next Up uses and Down ends", func(ctx context.Context) {
		dir := tempDir()
		killed(dir)
		left := processesOf(dir)
		Expect(left).To(HaveLen(2))
		// As if it had been killed before it could record the second one.
		records, err := filepath.Glob(filepath.Join(dir, "clusters", "*", "run", "kube-apiserver.json"))
		Expect(err).NotTo(HaveOccurred())
		for _, record := range records {
			Expect(os.Remove(record)).To(Succeed())
		}
		fleet, err := localcluster.Up(ctx, localcluster.Options{Dir: dir, DieWithParent: true, Log: GinkgoWriter})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() localcluster.State { return fleet.Status(ctx).Clusters[0].State }).Should(Equal(localcluster.Running))
		Expect(processesOf(dir)).To(HaveLen(5))
		Expect(localcluster.Down(ctx, dir)).To(Succeed())
		Expect(processesOf(dir)).To(BeEmpty())
	})

	It("takes its processes along when asked to", func() {
		if runtime.GOOS != "linux" {
			Skip("only Linux tells children of the death of their parent")
		}
		dir := tempDir()
		killed(dir, upEnv+"_DIE=1")
		Eventually(processesOf).WithArguments(dir).Should(BeEmpty())
	})
})

var _ = Describe("A stale record", func() {
	It("does not have a stranger killed that got the process id", func(ctx context.Context) {
		stranger := exec.Command("sleep", "600")
		Expect(stranger.Start()).To(Succeed())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = stranger.Wait() }()
		defer func() { _ = stranger.Process.Kill() }()

		dir := tempDir()
		fleet, err := localcluster.Up(ctx, bare(dir))
		Expect(err).NotTo(HaveOccurred())
		Expect(fleet.StopMember(ctx, "host")).To(Succeed())
		record := map[string]any{"pid": stranger.Process.Pid, "start": "1", "boot": bootID()}
		data, err := json.Marshal(record)
		Expect(err).NotTo(HaveOccurred())
		for _, component := range []string{localcluster.Etcd, localcluster.APIServer} {
			Expect(os.WriteFile(filepath.Join(fleet.Host().Dir, "run", component+".json"), data, 0o600)).To(Succeed())
		}
		Expect(fleet.Status(ctx).Clusters[0].State).To(Equal(localcluster.Stopped))
		Expect(fleet.StopMember(ctx, "host")).To(Succeed())
		Expect(fleet.StartMember(ctx, "host")).To(Succeed(), "the record does not pass for a running process")
		for _, component := range []string{localcluster.Etcd, localcluster.APIServer} {
			Expect(os.WriteFile(filepath.Join(fleet.Host().Dir, "run", component+".json"), data, 0o600)).To(Succeed())
		}
		Expect(fleet.Down(ctx)).To(Succeed())
		Expect(processesOf(dir)).To(BeEmpty())
		Consistently(ended, "100ms").ShouldNot(BeClosed())
	})
})

func bootID() string {
	data, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data))
}

// processesOf returns the ids of the processes that work in a cluster directory
// below dir: found without the package's own means.
func processesOf(dir string) []int {
	var ids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(target, filepath.Join(dir, "clusters")+string(filepath.Separator)) {
			continue
		}
		if id, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}
