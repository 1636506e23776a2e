// Command conformance runs those of Kubernetes' own end-to-end specs of API machinery that
// need no nodes against the cluster of a kubeconfig: discovery, tables, watches, pages, apply,
// definitions. It is e2e.test without all that asks for nodes before the first spec, and with
// its flags, Ginkgo's included.
package main

import (
	"flag"
	"os"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	_ "k8s.io/kubernetes/test/e2e/apimachinery"
	"k8s.io/kubernetes/test/e2e/framework"
)

func main() {
	framework.RegisterCommonFlags(flag.CommandLine)
	framework.RegisterClusterFlags(flag.CommandLine)
	flag.Parse()
	framework.AfterReadingAllFlags(&framework.TestContext)
	gomega.RegisterFailHandler(framework.Fail)
	suite, reporter := ginkgo.GinkgoConfiguration()
	if !ginkgo.RunSpecs(&result{}, "Kubernetes' API machinery", suite, reporter) {
		os.Exit(1)
	}
}

// result is told of failures, which the return value of RunSpecs says as well.
type result struct{}

// Fail implements ginkgo.GinkgoTestingT.
func (*result) Fail() {}
