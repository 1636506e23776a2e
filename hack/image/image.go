package main

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is nobody's account on any machine: the controller needs no rights there.
const user = "65532:65532"

type platformImage struct {
	platform v1.Platform
	image    v1.Image
}

// newImage makes the image of one platform of the programs in a folder.
func newImage(folder string, platform v1.Platform, o *options) (v1.Image, error) {
	files, err := programFiles(folder)
	if err != nil {
		return nil, err
	}
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	// The certificates change seldom, and are a layer that registries have already.
	for _, content := range [][]file{{certificates()}, files} {
		packed, err := layer(content, o.created)
		if err != nil {
			return nil, err
		}
		img, err = mutate.Append(img, mutate.Addendum{Layer: packed, MediaType: types.OCILayer, History: v1.History{
			Created: v1.Time{Time: o.created}, CreatedBy: "make image", Comment: content[0].path}})
		if err != nil {
			return nil, err
		}
	}
	return mutate.ConfigFile(img, configuration(img, platform, o))
}

// configuration is what an image says of itself, with the labels of the OCI's image
// specification (annotations.md).
func configuration(img v1.Image, platform v1.Platform, o *options) *v1.ConfigFile {
	config, err := img.ConfigFile()
	if err != nil {
		panic(fmt.Sprintf("an image that was made in memory has no configuration: %v", err))
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Created = v1.Time{Time: o.created}
	config.Config = v1.Config{
		User:       user,
		Entrypoint: []string{"/" + programs[0]},
		WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "fedctl",
			"org.opencontainers.image.description": "Federation controller for Kubernetes: the controller, and fedctl beside it",
			"org.opencontainers.image.source":      "https://github.com/fedctl/fedctl",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     o.version,
			"org.opencontainers.image.revision":    o.revision,
		},
	}
	return config
}

// newIndex makes one image of those of all platforms.
func newIndex(images []platformImage) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, image := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image.image, Descriptor: v1.Descriptor{Platform: &image.platform}})
	}
	return index
}
