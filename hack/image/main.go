// Command image builds the controller's image without a container engine: an OCI image
// layout for all platforms, an archive for this machine's that "docker load" and
// "kind load image-archive" take, and what is in it as SPDX. It pushes on request.
//
// A module of its own, so that the project does not depend on what only its image needs.
// go-containerregistry writes images and speaks to registries; ko, which is built on it,
// wants one program for each image and pulls a base image, and ours has two and none.
//
//	main.go    what is asked for, and the order of the work
//	build.go   the programs, for each platform
//	layers.go  files in layers, alike however and whenever they are made
//	image.go   layers and a configuration become an image, images an index
//	sbom.go    what the programs are made of; sbom writes it, and for a release spdx does
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// programs are what is in the image; the first is run.
var programs = []string{"controller", "fedctl"}

type options struct {
	root, dist, version, revision, reference string
	created                                  time.Time
	platforms                                []v1.Platform
	push                                     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func parse(args []string) (*options, error) {
	o := &options{}
	var platforms string
	var created int64
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&o.root, "root", ".", "the project's folder")
	flags.StringVar(&o.dist, "dist", "dist", "folder to write to")
	flags.StringVar(&o.version, "version", "devel", "version of the programs")
	flags.StringVar(&o.revision, "revision", "", "commit that is built")
	flags.Int64Var(&created, "created", 0, "time of the commit, in seconds since 1970")
	flags.StringVar(&o.reference, "reference", "", "name of the image")
	flags.StringVar(&platforms, "platforms", "linux/amd64,linux/arm64", "platforms, with commas between them")
	flags.BoolVar(&o.push, "push", false, "push the image to its registry")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	o.created = time.Unix(created, 0).UTC()
	for _, s := range strings.Split(platforms, ",") {
		platform, err := v1.ParsePlatform(s)
		if err != nil || platform.OS != "linux" || platform.Architecture == "" {
			return nil, fmt.Errorf("--platforms: %q is no platform of Linux, such as linux/arm64", s)
		}
		o.platforms = append(o.platforms, *platform)
	}
	if _, err := name.NewTag(o.reference); err != nil {
		return nil, fmt.Errorf("--reference: %w", err)
	}
	return o, nil
}

// run builds the image and writes it, and pushes what it has written.
func run(ctx context.Context, o *options) error {
	images := make([]platformImage, 0, len(o.platforms))
	for _, platform := range o.platforms {
		folder := filepath.Join(o.dist, "programs", platform.OS+"-"+platform.Architecture)
		if err := build(ctx, o, platform, folder); err != nil {
			return err
		}
		img, err := newImage(folder, platform, o)
		if err != nil {
			return err
		}
		images = append(images, platformImage{platform, img})
	}
	index := newIndex(images)
	if err := write(o, index, images); err != nil {
		return err
	}
	if !o.push {
		return nil
	}
	return push(ctx, o, index)
}

// write leaves the layout, the archive and the list of contents in dist.
func write(o *options, index v1.ImageIndex, images []platformImage) error {
	folder := filepath.Join(o.dist, "image")
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if _, err := layout.Write(folder, index); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s@%s, an OCI image layout\n", folder, o.reference, digest)
	if err := os.WriteFile(filepath.Join(o.dist, "image.digest"), []byte(digest.String()+"\n"), 0o644); err != nil { // #nosec G306 -- it is no secret
		return err
	}
	for _, image := range images {
		if image.platform.Architecture != runtime.GOARCH {
			continue
		}
		tag, err := name.NewTag(o.reference)
		if err != nil {
			return err
		}
		archive := filepath.Join(o.dist, "controller-image.tar")
		if err := tarball.WriteToFile(archive, tag, image.image); err != nil {
			return err
		}
		fmt.Printf("%s: %s for %s, for docker load and kind load image-archive\n", archive, tag, image.platform.String())
	}
	return writeSBOM(o, digest)
}

func push(ctx context.Context, o *options, index v1.ImageIndex) error {
	tag, err := name.NewTag(o.reference)
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(tag, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("push %s: %w", tag, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("pushed %s@%s\n", tag, digest)
	return nil
}
