package main

import (
	"fmt"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/fedctl/fedctl/hack/image/sbom"
)

// sbomFile is what the image is made of, in dist.
const sbomFile = "image.spdx.json"

// writeSBOM writes the SPDX document of the image with a digest.
func writeSBOM(o *options, digest v1.Hash) error {
	modules := sbom.Modules{}
	for _, platform := range o.platforms {
		for _, program := range programs {
			if err := modules.Add(filepath.Join(o.dist, "programs", platform.OS+"-"+platform.Architecture, program)); err != nil {
				return err
			}
		}
	}
	path := filepath.Join(o.dist, sbomFile)
	err := sbom.Write(path, sbom.Subject{ID: "Image", Purpose: "CONTAINER", Name: o.reference, Version: o.version, SHA256: digest.Hex, Created: o.created}, modules)
	if err != nil {
		return err
	}
	fmt.Printf("%s: the %d modules that the programs are made of\n", path, len(modules))
	return nil
}
