// Package sbom says what programs are made of: the modules that Go's linker has noted in
// them, as an SPDX document.
package sbom

import (
	"debug/buildinfo"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"
)

// Subject is what a document is about.
type Subject struct {
	// ID is what the document calls it, such as Image.
	ID common.ElementID
	// Purpose is one of SPDX', such as CONTAINER.
	Purpose       string
	Name, Version string
	// SHA256 of it, in hexadecimal digits.
	SHA256 string
	// Created is a time that is the same for every build of a commit.
	Created time.Time
}

// Modules are the versions of what programs were linked from, by path.
type Modules map[string]string

// Add adds the modules of a program, of whatever platform.
func (m Modules) Add(program string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	m["stdlib"] = strings.TrimPrefix(info.GoVersion, "go")
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		m[module.Path] = module.Version
	}
	return nil
}

// Write writes the document of a subject to a file.
func Write(path string, subject Subject, modules Modules) error {
	out, err := os.Create(path) // #nosec G304 -- named by who runs this
	if err != nil {
		return err
	}
	if err := json.Write(Document(subject, modules), out, json.Indent("  ")); err != nil {
		_ = out.Close() // the first error is the one to tell
		return err
	}
	return out.Close()
}

// Document is an SPDX 2.3 document: the subject, and what it contains.
func Document(subject Subject, modules Modules) *spdx.Document {
	described := spdx.Package{
		PackageName: subject.Name, PackageSPDXIdentifier: subject.ID, PackageVersion: subject.Version,
		PackageDownloadLocation: "NOASSERTION", PrimaryPackagePurpose: subject.Purpose,
		PackageLicenseConcluded: "Apache-2.0", PackageLicenseDeclared: "Apache-2.0", PackageCopyrightText: "NOASSERTION",
		PackageChecksums: []common.Checksum{{Algorithm: common.SHA256, Value: subject.SHA256}},
	}
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: subject.Name,
		DocumentNamespace: "https://github.com/fedctl/fedctl/spdx/" + url.PathEscape("sha256:"+subject.SHA256),
		CreationInfo:      &spdx.CreationInfo{Creators: []common.Creator{{CreatorType: "Tool", Creator: "fedctl-sbom"}}, Created: subject.Created.UTC().Format(time.RFC3339)},
		Packages:          []*spdx.Package{&described},
		Relationships:     []*spdx.Relationship{relationship("DOCUMENT", "DESCRIBES", subject.ID)},
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		module := modulePackage(path, modules[path])
		doc.Packages = append(doc.Packages, module)
		doc.Relationships = append(doc.Relationships, relationship(subject.ID, "CONTAINS", module.PackageSPDXIdentifier))
	}
	return doc
}

func relationship(from common.ElementID, kind string, to common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{RefA: common.DocElementID{ElementRefID: from}, RefB: common.DocElementID{ElementRefID: to}, Relationship: kind}
}

// notInID is what an identifier of SPDX may not have.
var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]`)

// modulePackage names a module as scanners for known vulnerabilities look for it: by its
// package URL.
func modulePackage(path, version string) *spdx.Package {
	return &spdx.Package{
		PackageName: path, PackageVersion: version,
		PackageSPDXIdentifier:   common.ElementID("Module-" + notInID.ReplaceAllString(path, "-")),
		PackageDownloadLocation: "NOASSERTION", PackageLicenseConcluded: "NOASSERTION", PackageLicenseDeclared: "NOASSERTION", PackageCopyrightText: "NOASSERTION",
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: "pkg:golang/" + path + "@" + url.PathEscape(version)}},
	}
}
