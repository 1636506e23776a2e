package member

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/fedctl/fedctl/pkg/federate"
)

// What is sent of the desired object: every request that writes it takes it from here.

// body is what a first apply sends.
func (d *Desired) body() []byte { return d.Rendered.JSON }

// bodyOf is body for the object of this version alone, and of this UID; where they are
// empty, for any.
func (d *Desired) bodyOf(version string, uid types.UID) ([]byte, error) {
	if version == "" && uid == "" {
		return d.body(), nil
	}
	object, err := d.object()
	if err != nil {
		return nil, err
	}
	object.SetResourceVersion(version)
	object.SetUID(uid)
	return object.MarshalJSON()
}

// initialBody is what an object is created with whose replicas are the member's later;
// nil if the template has none.
func (d *Desired) initialBody() []byte { return d.Rendered.Initial }

// object is body to be changed.
func (d *Desired) object() (*unstructured.Unstructured, error) { return parse(d.body()) }

// initial is what an object is created with.
func (d *Desired) initial() (*unstructured.Unstructured, error) {
	if body := d.initialBody(); body != nil {
		return parse(body)
	}
	return d.object()
}

func parse(body []byte) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	err := utiljson.Unmarshal(body, &object.Object) // with whole numbers as such, unlike encoding/json
	return object, err
}

// inVersion is what is sent of an object where the member is given it in another version
// of its type: nobody converts its fields.
func inVersion(rendered federate.Rendered, apiVersion string) (federate.Rendered, error) {
	for _, body := range []*[]byte{&rendered.JSON, &rendered.Initial} {
		if *body == nil {
			continue
		}
		object, err := parse(*body)
		if err != nil {
			return rendered, err
		}
		object.SetAPIVersion(apiVersion)
		if *body, err = object.MarshalJSON(); err != nil {
			return rendered, err
		}
	}
	return rendered, nil
}
