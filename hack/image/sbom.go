package main

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"
)

// sbomFile is what the image is made of, in dist.
const sbomFile = "image.spdx.json"

// writeSBOM writes the SPDX document of the image with a digest.
func writeSBOM(o *options, digest v1.Hash) error {
	modules := map[string]string{}
	for _, platform := range o.platforms {
		for _, program := range programs {
			if err := addModules(filepath.Join(o.dist, "programs", platform.OS+"-"+platform.Architecture, program), modules); err != nil {
				return err
			}
		}
	}
	out, err := os.Create(filepath.Join(o.dist, sbomFile))
	if err != nil {
		return err
	}
	if err := json.Write(document(o, digest, modules), out, json.Indent("  ")); err != nil {
		_ = out.Close() // the first error is the one to tell
		return err
	}
	fmt.Printf("%s: the %d modules that the programs are made of\n", out.Name(), len(modules))
	return out.Close()
}

// addModules adds the modules that a program was linked from: their versions by path.
func addModules(program string, modules map[string]string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	modules["stdlib"] = strings.TrimPrefix(info.GoVersion, "go")
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		modules[module.Path] = module.Version
	}
	return nil
}

// document is an SPDX 2.3 document: the image, and what it contains.
func document(o *options, digest v1.Hash, modules map[string]string) *spdx.Document {
	image := spdx.Package{
		PackageName: o.reference, PackageSPDXIdentifier: "Image", PackageVersion: o.version,
		PackageDownloadLocation: "NOASSERTION", PrimaryPackagePurpose: "CONTAINER",
		PackageLicenseConcluded: "Apache-2.0", PackageLicenseDeclared: "Apache-2.0", PackageCopyrightText: "NOASSERTION",
		PackageChecksums: []common.Checksum{{Algorithm: common.SHA256, Value: digest.Hex}},
	}
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: o.reference,
		DocumentNamespace: "https://github.com/fedctl/fedctl/spdx/" + url.PathEscape(digest.String()),
		CreationInfo:      &spdx.CreationInfo{Creators: []common.Creator{{CreatorType: "Tool", Creator: "fedctl-make-image"}}, Created: o.created.Format(time.RFC3339)},
		Packages:          []*spdx.Package{&image},
		Relationships:     []*spdx.Relationship{relationship("DOCUMENT", "DESCRIBES", "Image")},
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		module := modulePackage(path, modules[path])
		doc.Packages = append(doc.Packages, module)
		doc.Relationships = append(doc.Relationships, relationship("Image", "CONTAINS", module.PackageSPDXIdentifier))
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
