package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spdx/tools-golang/json"

	"github.com/fedctl/fedctl/hack/image/sbom"
)

// The document is read back by the library that reads such documents, and names what a
// program was linked from: here, this test.
func TestDocumentOfAProgram(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "program.spdx.json")
	if err := write(program, file, "v1.2.3", time.Unix(1700000000, 0)); err != nil {
		t.Fatal(err)
	}
	written, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer written.Close()
	doc, err := json.Read(written)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, p := range doc.Packages {
		if len(p.PackageExternalReferences) == 1 {
			found[p.PackageName] = p.PackageExternalReferences[0].Locator
		}
	}
	modules := sbom.Modules{}
	if err := modules.Add(program); err != nil {
		t.Fatal(err)
	}
	version := modules["github.com/spdx/tools-golang"]
	if version == "" || found["github.com/spdx/tools-golang"] != "pkg:golang/github.com/spdx/tools-golang@"+version {
		t.Errorf("the document has %v", found)
	}
	if found["stdlib"] == "" || len(doc.Relationships) != len(modules)+1 {
		t.Errorf("%d relationships of %d modules, stdlib %q", len(doc.Relationships), len(modules), found["stdlib"])
	}
	if got := doc.CreationInfo.Created; got != "2023-11-14T22:13:20Z" {
		t.Errorf("created at %s", got)
	}
}

func TestWhatIsNoProgram(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(text, filepath.Join(folder, "out"), "v1", time.Unix(0, 0)); err == nil {
		t.Error("text has a list of modules")
	}
}
