package localcluster_test

import (
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// upEnv makes the test binary bring a fleet up in the directory it names and
// wait to be killed: the program that dies in the middle of its work.
const upEnv = "LOCALCLUSTER_TEST_UP"

func TestLocalClusters(t *testing.T) {
	if dir := os.Getenv(upEnv); dir != "" {
		upAndWait(dir)
		return
	}
	if _, err := localcluster.FindBinary(""); err != nil {
		t.Fatal(err)
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute) // machines under load are slow
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "local clusters")
}

func upAndWait(dir string) {
	_, err := localcluster.Up(context.Background(), localcluster.Options{Dir: dir, DieWithParent: os.Getenv(upEnv+"_DIE") != "", Log: os.Stdout})
	if err != nil {
		panic(err)
	}
	select {}
}

// tempDir returns a directory whose fleet, if any, is taken down after the spec.
func tempDir() string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	DeferCleanup(func(ctx context.Context) { Expect(localcluster.Down(ctx, dir)).To(Succeed()) })
	return dir
}

func clientOf(fleet *localcluster.Fleet, name string) kubernetes.Interface {
	GinkgoHelper()
	config, err := fleet.Config(name)
	Expect(err).NotTo(HaveOccurred())
	client, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	return client
}
