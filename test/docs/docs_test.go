// Package docs_test holds the documentation to the code: what has a name in the
// code that a user meets is in the reference. It reads sources and flags, and
// starts nothing.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	fedcorev1alpha1 "sigs.k8s.io/kubefed/pkg/apis/core/v1alpha1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli"
	"github.com/fedctl/fedctl/internal/config"
	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

const root = "../.."

// read returns files below the root, joined; patterns are those of filepath.Glob.
func read(t *testing.T, patterns ...string) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no file is %s (%v)", pattern, err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(content)
		}
	}
	return all.String()
}

// words returns what the first group of the expression matches in the Go sources
// below the folders, without tests and generated files.
func words(t *testing.T, expression string, folders ...string) []string {
	t.Helper()
	re := regexp.MustCompile(expression)
	var found []string
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(entry.Name(), "zz_") {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, match := range re.FindAllStringSubmatch(string(content), -1) {
				found = append(found, match[1])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestNamesInTheCodeAreInTheReference(t *testing.T) {
	reference := read(t, "docs/reference.md")
	everywhere := read(t, "docs/*.md", "README.md", "CONTRIBUTING.md")
	engine := []string{"pkg/propagation", "pkg/typeconfig", "pkg/membership", "pkg/reach", "pkg/join"}
	for _, test := range []struct {
		what, expression string
		folders          []string
		text             string
		atLeast          int // so that a change of style does not switch the test off
	}{
		{"status words", `PropagationStatus = "(\w+)"`, []string{"pkg/federate"}, reference, 15},
		{"reasons", `AggregateReason = "(\w+)"`, []string{"pkg/federate"}, reference, 4},
		{"reasons of members", `Reason\w+ +=\s"(Cluster\w+)"`, []string{"pkg/membership"}, reference, 5},
		{"reasons of events", `(?:Warn: true, Reason:|EventTypeWarning,|EventTypeNormal,|\b[rR]eason[A-Z]\w+ +=) "([A-Z]\w+)"`, engine, reference, 4},
		{"reasons of backups", `(?:\breason[A-Z]\w*|[Rr]eason[A-Z]\w*|Reason) +?=\s"([A-Z]\w+)"`, []string{"pkg/backup/executor", "pkg/backup/repository", "pkg/backup/restore"}, reference, 30},
		{"labels, annotations and finalizers", `"((?:[a-z]+\.)?(?:kubefed|fedctl)\.io/[a-z][a-z-]*[a-z])"`, append(engine, "pkg/federate"), reference, 8},
		{"metrics", `"(fedctl_[a-z_]+)"`, []string{"pkg/propagation", "pkg/membership"}, reference, 5},
		{"environment variables", `Env += "(FEDCTL_[A-Z0-9_]+)"`, []string{"internal/cli", "pkg", "cmd", "test"}, everywhere, 4},
		{"findings of migrate check", `(?:Code:|Code = \w+,|Blocks,|Warning,|Note,) "([a-z-]+)"`, []string{"internal/cli/migrate/analysis"}, read(t, "docs/kubefed.md"), 25},
	} {
		found := words(t, test.expression, test.folders...)
		if len(found) < test.atLeast {
			t.Errorf("%s: only %d found, so the expression is out of date: %v", test.what, len(found), found)
		}
		for _, word := range found {
			if word == "ClusterNotProbed" {
				continue // never written anywhere
			}
			if !strings.Contains(test.text, word) {
				t.Errorf("%s: %s is not in the documentation", test.what, word)
			}
		}
	}
}

func TestSettingsAreInTheReference(t *testing.T) {
	reference := read(t, "docs/reference.md")
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	config.New(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		if !strings.Contains(reference, "\n| `"+flag.Name+"` |") {
			t.Errorf("the controller's setting %s is not in the table of settings", flag.Name)
		}
	})
}

func TestCommandsAndFlagsAreDocumented(t *testing.T) {
	text := read(t, "docs/*.md")
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		for _, child := range command.Commands() {
			walk(child)
		}
		if command.HasSubCommands() || command.Hidden {
			return
		}
		if parent := command.Parent().Name(); !strings.Contains(text, command.CommandPath()) && parent != "local" && parent != "orphaning-deletion" && parent != "completion" {
			t.Errorf("%s is not documented", command.CommandPath())
		}
		command.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
			if !flag.Hidden && !strings.Contains(text, "--"+flag.Name) && (flag.Shorthand == "" || !strings.Contains(text, "`-"+flag.Shorthand)) {
				t.Errorf("%s --%s is not documented", command.CommandPath(), flag.Name)
			}
		})
	}
	walk(cli.NewCommand("fedctl", genericiooptions.NewTestIOStreamsDiscard()))
}

func TestFieldsAreInTheReference(t *testing.T) {
	reference := read(t, "docs/reference.md")
	for _, kind := range []any{
		fedcorev1beta1.KubeFedCluster{}, fedcorev1beta1.FederatedTypeConfig{}, fedcorev1beta1.KubeFedConfig{},
		fedcorev1alpha1.PropagatedVersion{}, fedschedulingv1alpha1.ReplicaSchedulingPreference{},
	} {
		typ := reflect.TypeOf(kind)
		for _, part := range []string{"Spec", "Status"} {
			if field, ok := typ.FieldByName(part); ok {
				for _, name := range fields(field.Type) {
					if !regexp.MustCompile("[`.]" + name + "[`.\\[]").MatchString(reference) {
						t.Errorf("%s: the field %s of %s is not in the reference", typ.Name(), name, strings.ToLower(part))
					}
				}
			}
		}
	}
}

func TestRollupsAreInTheReference(t *testing.T) {
	reference := read(t, "docs/reference.md")
	for _, typ := range []reflect.Type{reflect.TypeFor[backupv1alpha1.BackupRollup](), reflect.TypeFor[backupv1alpha1.BackupFailure]()} {
		for i := range typ.NumField() {
			if name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ","); !strings.Contains(reference, "`"+name) {
				t.Errorf("the field %s of %s is not in the reference", name, typ.Name())
			}
		}
	}
}

// fields returns the JSON names of a type's fields, and of those within, as far
// as KubeFed defines them.
func fields(typ reflect.Type) []string {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || !strings.Contains(typ.PkgPath(), "kubefed") {
		return nil
	}
	var names []string
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
		names = append(names, fields(typ.Field(i).Type)...)
	}
	return names
}
