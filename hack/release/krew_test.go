package release

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// krew is built from its own sources: it validates a manifest before it installs from it.
func krew(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "krew")
	if out, err := exec.Command("go", "build", "-o", program, "sigs.k8s.io/krew/cmd/krew").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// install has krew install the plugin for a platform into a folder of its own. Krew compares
// the checksum in the manifest with the archive's.
func install(t *testing.T, program, manifest, archive, platform string) (root string, err error) {
	t.Helper()
	root = t.TempDir()
	goos, goarch, _ := strings.Cut(platform, "_")
	command := exec.Command(program, "install", "--manifest", manifest, "--archive", archive)
	command.Env = append(os.Environ(), "KREW_ROOT="+root, "KREW_OS="+goos, "KREW_ARCH="+goarch, "KREW_NO_UPGRADE_CHECK=1")
	out, err := command.CombinedOutput()
	t.Logf("%s: %s", platform, out)
	return root, err
}

func TestKrewInstallsForEachPlatform(t *testing.T) {
	folder, version := built(t)
	program, manifest := krew(t), filepath.Join(folder, "krew", "fed.yaml")
	for _, platform := range platforms {
		root, err := install(t, program, manifest, archive(folder, version, platform), platform)
		if err != nil {
			t.Errorf("%s: %v", platform, err)
			continue
		}
		plugin := filepath.Join(root, "bin", "kubectl-fed")
		if strings.HasPrefix(platform, "windows") {
			plugin += ".exe"
		}
		if _, err := os.Stat(plugin); err != nil {
			t.Error(err)
		}
		if platform == runtime.GOOS+"_"+runtime.GOARCH {
			callPlugin(t, filepath.Dir(plugin), version)
		}
	}
	// What the checks are worth.
	if _, err := install(t, program, manifest, archive(folder, version, "linux_amd64"), "linux_arm64"); err == nil {
		t.Error("an archive with another checksum is installed")
	}
}

// callPlugin has kubectl call the plugin as its users do.
func callPlugin(t *testing.T, bin, version string) {
	t.Helper()
	kubernetes := os.Getenv("FEDCTL_KUBERNETES")
	if kubernetes == "" {
		t.Log("without FEDCTL_KUBERNETES there is no kubectl to call the plugin")
		return
	}
	kubectl := func(args ...string) string {
		command := exec.Command(kubernetes, append([]string{"kubectl"}, args...)...)
		command.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := command.Output()
		if err != nil {
			t.Errorf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	var told struct{ Client struct{ Version string } }
	if err := json.Unmarshal([]byte(kubectl("fed", "version", "--client", "-o", "json")), &told); err != nil || told.Client.Version != "v"+version {
		t.Errorf("the plugin is version %q (%v)", told.Client.Version, err)
	}
	if help := kubectl("fed", "join", "--help"); !strings.Contains(help, "kubectl fed join") || strings.Contains(help, "\n  fedctl join") {
		t.Errorf("the plugin calls itself otherwise:\n%s", help)
	}
}
