package cli

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
)

// However much of the requests is asked for, neither the token nor what they and their
// answers hold is logged.
func TestNoVerbosityShowsWhatRequestsHold(t *testing.T) {
	const planted = "hunter2"
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"`+planted+`-body"}`)
	}))
	defer server.Close()
	config := clientcmdapi.NewConfig()
	config.Clusters["host"] = &clientcmdapi.Cluster{Server: server.URL, InsecureSkipTLSVerify: true}
	config.AuthInfos["user"] = &clientcmdapi.AuthInfo{Token: planted + "-token"}
	config.Contexts["host"] = &clientcmdapi.Context{Cluster: "host", AuthInfo: "user"}
	config.CurrentContext = "host"
	kubeconfig := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	for _, level := range []string{"6", "7", "8", "10", "99"} {
		logged := stderrOf(t, func() {
			command := NewCommand("fedctl", genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: io.Discard, ErrOut: io.Discard})
			command.SetArgs([]string{"get", "clusters", "--kubeconfig", kubeconfig, "-v", level})
			_ = command.Execute() // nothing is there
		})
		if !strings.Contains(logged, server.URL) {
			t.Errorf("-v %s: no request is named: %q", level, logged)
		}
		if strings.Contains(logged, planted) {
			t.Errorf("-v %s shows what requests hold: %s", level, logged)
		}
	}
}

// What libraries have to say and cannot return is no business of who reads standard error.
func TestNothingIsLoggedThatNobodyAskedFor(t *testing.T) {
	logged := stderrOf(t, func() {
		command := NewCommand("fedctl", genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: io.Discard, ErrOut: io.Discard})
		command.SetArgs([]string{"-v", "0", "--help"}) // another test may have asked
		_ = command.Execute()
		utilruntime.HandleError(errors.New("it fails"))
		klog.Flush()
	})
	if logged != "" {
		t.Errorf("%q is logged", logged)
	}
}

// stderrOf is what do writes to standard error, where client-go logs.
func stderrOf(t *testing.T, do func()) string {
	t.Helper()
	before := os.Stderr
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = file
	defer func() { os.Stderr = before }()
	do()
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	logged, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(logged)
}
