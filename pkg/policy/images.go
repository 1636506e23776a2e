package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

// What the parts of an image may be. Source: distribution/reference.
var (
	tagPattern    = regexp.MustCompile("^" + reference.TagRegexp.String() + "$")
	digestPattern = regexp.MustCompile("^" + reference.DigestRegexp.String() + "$")
)

// checkImages checks what an API server cannot: whether the parts make an image.
func checkImages(images []v1alpha1.ImageOverride, field string) error {
	for i := range images {
		image, at := &images[i], field+".images["+strconv.Itoa(i)+"]"
		switch {
		case image.Tag != "" && image.Digest != "":
			return fault(at, "tag and digest exclude each other")
		case image.Tag != "" && !tagPattern.MatchString(image.Tag):
			return fault(at+".tag", "is no tag of an image")
		case image.Digest != "" && !digestPattern.MatchString(image.Digest):
			return fault(at+".digest", "is no digest, such as sha256: and 64 hex digits")
		}
		if image.Registry == "" && image.Repository == "" {
			continue
		}
		registry, repository := image.Registry, image.Repository
		if registry == "" {
			registry = "registry.example"
		}
		if repository == "" {
			repository = "image"
		}
		if _, err := reference.ParseNamed(registry + "/" + repository); err != nil {
			return fault(at, "registry and repository make no name of an image")
		}
	}
	return nil
}

// images replaces parts of a container's image.
func (w *work) images(container map[string]any, name string) error {
	if len(w.Images) == 0 {
		return nil
	}
	image, ok := container["image"].(string)
	if !ok || image == "" {
		return nil // a template may leave it to others
	}
	for i := range w.Images {
		changed, message := withParts(image, &w.Images[i])
		if message != "" {
			return fault(w.field+".images["+strconv.Itoa(i)+"]", "container "+strconv.Quote(name)+": "+message)
		}
		image = changed
	}
	if image != container["image"] && !hasVersion(image) {
		w.notes = append(w.notes, federate.Note{
			Text:  "container " + strconv.Quote(name) + ": its image has no tag and no digest, so each pull may bring another one",
			Holds: func(tree map[string]any) bool { return runs(tree, w.paths, name, image) }, // who comes later may set it
		})
	}
	container["image"] = image
	return nil
}

// runs says whether a pod template of an object has a container of this name with this image.
func runs(tree map[string]any, paths []workload.Template, name, image string) bool {
	found := false
	_, _ = workload.Edit(tree, paths, func(spec map[string]any, _ string) error {
		for _, field := range []string{"initContainers", "containers"} {
			list, _ := spec[field].([]any)
			found = found || slices.ContainsFunc(list, func(item any) bool {
				container, _ := item.(map[string]any)
				return container["name"] == name && container["image"] == image
			})
		}
		return nil
	})
	return found
}

// hasVersion says whether an image says which one it is.
func hasVersion(image string) bool {
	return strings.Contains(image, "@") || strings.Contains(image[strings.LastIndexByte(image, '/')+1:], ":")
}

// withParts returns an image with some of its parts replaced. message says why not.
func withParts(image string, o *v1alpha1.ImageOverride) (changed, message string) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", "its image is no name of an image"
	}
	if o.From != "" {
		from, err := reference.ParseNormalizedNamed(o.From)
		if err != nil || from.Name() != named.Name() {
			return image, ""
		}
	}
	registry, repository := reference.Domain(named), reference.Path(named)
	if o.Registry != "" {
		registry = o.Registry
	}
	if o.Repository != "" {
		repository = o.Repository
	}
	changed = registry + "/" + repository
	if o.Registry == "" && o.Repository == "" {
		changed, _, _ = strings.Cut(image, "@") // as it was written
		if tagged, ok := named.(reference.Tagged); ok {
			changed = strings.TrimSuffix(changed, ":"+tagged.Tag())
		}
	}
	return changed + suffix(named, o), ""
}

// suffix is the tag or digest of an image with some of its parts replaced.
func suffix(named reference.Named, o *v1alpha1.ImageOverride) string {
	switch {
	case o.Digest != "":
		return "@" + o.Digest
	case o.Tag != "":
		return ":" + o.Tag
	}
	var text string
	if tagged, ok := named.(reference.Tagged); ok {
		text = ":" + tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		text += "@" + digested.Digest().String()
	}
	return text
}
