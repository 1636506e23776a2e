package union

import (
	"errors"
	"fmt"
	"strings"
)

// What is said of an object, and of an answer, in annotations. A member's own of these
// names are left out.
const (
	// AnnotationCluster is the cluster that an object is in.
	AnnotationCluster = "fleet.fedctl.io/cluster"
	// AnnotationVersion is the object's own resource version, in its cluster, where its
	// metadata have that of all: in the events of watches.
	AnnotationVersion = "fleet.fedctl.io/resource-version"
	// AnnotationMissing names the clusters that are missing, in the metadata of lists and
	// of bookmarks.
	AnnotationMissing = "fleet.fedctl.io/missing"

	annotationDomain = "fleet.fedctl.io/"
)

// Identity is what tells an object from others.
type Identity struct {
	Namespace, Name, UID, ResourceVersion string
}

// Mark is what is written onto an object.
type Mark struct {
	Cluster string
	// Kind and APIVersion are written where the object does not say them, as in lists.
	Kind, APIVersion string
	// Version is the resource version of all clusters; empty: the object keeps its own.
	Version string
}

var (
	errTwice = errors.New("it has an object with two metadata")
	errNoKey = errors.New("it has an object without a name")
)

// IdentityOf reads the metadata of an object.
func IdentityOf(object []byte) (id Identity, err error) {
	seen := false
	for key, value := range pairs(object) {
		if key != "metadata" {
			continue
		}
		if seen {
			return id, errTwice
		}
		seen = true
		for key, value := range pairs(value) {
			switch key {
			case "namespace":
				id.Namespace = textOf(value)
			case "name":
				id.Name = textOf(value)
			case "uid":
				id.UID = textOf(value)
			case "resourceVersion":
				id.ResourceVersion = textOf(value)
			}
		}
	}
	if max(len(id.Namespace), len(id.Name), len(id.UID), len(id.ResourceVersion)) > mostOfName {
		return Identity{}, errors.New("an object with a name, a uid or a version that is none")
	}
	return id, nil
}

// AppendObject writes an object with a mark. Two metadata in one would be read by one client
// so and by the next one otherwise: that is an error, like what is no object.
func AppendObject(to, object []byte, m Mark) ([]byte, error) {
	if len(object) == 0 || object[0] != '{' {
		return to, errJSON
	}
	to = append(to, '{')
	begin := len(to)
	next := func(key string) {
		if len(to) > begin {
			to = append(to, ',')
		}
		to = append(appendText(to, key), ':')
	}
	seen := map[string]bool{}
	for key, value := range pairs(object) {
		switch key {
		case "kind", "apiVersion", "metadata":
			if seen[key] {
				return to, errTwice
			}
			seen[key] = true
		}
		next(key)
		if key != "metadata" {
			to = append(to, value...)
			continue
		}
		var err error
		if to, err = appendMetadata(to, value, m); err != nil {
			return to, err
		}
	}
	if !seen["metadata"] {
		return to, errNoKey
	}
	if !seen["kind"] && m.Kind != "" {
		next("kind")
		to = appendText(to, m.Kind)
	}
	if !seen["apiVersion"] && m.APIVersion != "" {
		next("apiVersion")
		to = appendText(to, m.APIVersion)
	}
	return append(to, '}'), nil
}

func appendMetadata(to, metadata []byte, m Mark) ([]byte, error) {
	if metadata[0] != '{' {
		return to, errJSON
	}
	to = append(to, '{')
	begin := len(to)
	next := func(key string) {
		if len(to) > begin {
			to = append(to, ',')
		}
		to = append(appendText(to, key), ':')
	}
	annotations, own := []byte(nil), ""
	seen := map[string]bool{}
	for key, value := range pairs(metadata) {
		if seen[key] {
			return to, fmt.Errorf("it has an object with two metadata.%s", key)
		}
		seen[key] = true
		switch {
		case key == "annotations":
			annotations = value
			continue
		case key == "resourceVersion" && m.Version != "":
			own = textOf(value)
			continue
		}
		next(key)
		to = append(to, value...)
	}
	if m.Version != "" {
		next("resourceVersion")
		to = appendText(to, m.Version)
	}
	next("annotations")
	return append(appendAnnotations(to, annotations, m, own), '}'), nil
}

func appendAnnotations(to, annotations []byte, m Mark, own string) []byte {
	to = append(appendText(append(to, '{'), AnnotationCluster), ':')
	to = appendText(to, m.Cluster)
	if own != "" {
		to = append(appendText(append(to, ','), AnnotationVersion), ':')
		to = appendText(to, own)
	}
	for key, value := range pairs(annotations) {
		if strings.HasPrefix(key, annotationDomain) {
			continue
		}
		to = append(appendText(append(to, ','), key), ':')
		to = append(to, value...)
	}
	return append(to, '}')
}
