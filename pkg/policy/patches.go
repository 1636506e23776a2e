package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	goyaml "go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json" // whole numbers stay whole
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
)

// patches are operations that follow one another, on the object or on one document in it.
type patches struct {
	// in is the document; nil for the object itself.
	in *v1alpha1.Document
	// first is the place of the first operation in the rule.
	first      int
	operations []federate.Override
}

// compilePatches reads the operations of a rule.
func compilePatches(list []v1alpha1.Patch, field string) ([]patches, error) {
	var all []patches
	for i := range list {
		o := federate.Override{Op: list[i].Op, Path: list[i].Path, HasValue: list[i].Value != nil}
		if list[i].Value != nil {
			if err := utiljson.Unmarshal(list[i].Value.Raw, &o.Value); err != nil {
				return nil, fault(field+".patches["+strconv.Itoa(i)+"].value", "is not JSON")
			}
		}
		if n := len(all); n == 0 || !sameDocument(all[n-1].in, list[i].In) {
			all = append(all, patches{in: list[i].In, first: i})
		}
		last := &all[len(all)-1]
		last.operations = append(last.operations, o)
	}
	return all, checkPatches(all, field)
}

// checkPatches refuses paths that are none in any object: otherwise each object would say so.
func checkPatches(all []patches, field string) error {
	for i := range all {
		p := &all[i]
		check := federate.CheckPatch
		if p.in != nil {
			if err := federate.CheckPatch([]federate.Override{{Path: p.in.Path}}); err != nil {
				return at(err, func(string) string { return field + ".patches" + p.fieldOf("[0].in.path") })
			}
			check = federate.CheckDocumentPatch
		}
		if err := check(p.operations); err != nil {
			return at(err, func(of string) string { return field + ".patches" + p.fieldOf(of) })
		}
	}
	return nil
}

// at is a fault whose field is another one, as its own is within that.
func at(err error, field func(of string) string) error {
	var bad *federate.ModifyError
	if errors.As(err, &bad) {
		return fault(field(bad.Field), bad.Message)
	}
	return err
}

func sameDocument(a, b *v1alpha1.Document) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// patch carries out the rule's operations on an object, which is not modified.
func (w *work) patch(tree map[string]any) (map[string]any, error) {
	for i := range w.patches {
		p := &w.patches[i]
		var err error
		if p.in == nil {
			tree, err = federate.Patch(tree, p.operations, w.secret)
		} else {
			tree, err = w.patchDocument(p, tree)
		}
		if err != nil {
			return nil, at(err, func(of string) string { return w.field + ".patches" + p.fieldOf(of) })
		}
	}
	return tree, nil
}

// fieldOf is the field of the rule's list that a field of the operations is.
func (p *patches) fieldOf(field string) string {
	index, rest, _ := strings.Cut(strings.TrimPrefix(field, "["), "]")
	n, _ := strconv.Atoi(index) // federate writes a number there
	return "[" + strconv.Itoa(p.first+n) + "]" + rest
}

// patchDocument carries out operations on a document that the object holds in a string.
func (w *work) patchDocument(p *patches, tree map[string]any) (map[string]any, error) {
	value, _ := federate.Lookup(tree, p.in.Path)
	text, isString := value.(string)
	if !isString {
		return nil, &federate.ModifyError{Field: "[0].in.path", Message: "leads to no string of the object"}
	}
	document, message := readDocument(text, p.in.Format)
	if message != "" {
		return nil, &federate.ModifyError{Field: "[0].in", Message: message}
	}
	changed, err := federate.PatchDocument(document, p.operations, w.secret)
	if err != nil {
		return nil, err
	}
	if same(changed, document) {
		return tree, nil // it stays as it was written
	}
	written, err := writeDocument(changed, text, p.in.Format)
	if err != nil {
		return nil, &federate.ModifyError{Field: "[0].in", Message: "what comes of it cannot be written as " + string(p.in.Format)}
	}
	tree, err = federate.Patch(tree, []federate.Override{{Op: "replace", Path: p.in.Path, Value: written, HasValue: true}}, w.secret)
	var bad *federate.ModifyError
	if errors.As(err, &bad) {
		return nil, &federate.ModifyError{Field: "[0].in.path", Message: bad.Message}
	}
	return tree, err
}

// readDocument reads a document; the message says why it cannot, without its content.
func readDocument(text string, format v1alpha1.DocumentFormat) (document any, message string) {
	data := []byte(text)
	if format == v1alpha1.FormatYAML {
		if several(data) {
			return nil, "the string holds several YAML documents"
		}
		if message := grows(data); message != "" {
			return nil, message
		}
		var err error
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return nil, "the string is no YAML"
		}
	}
	if err := utiljson.Unmarshal(data, &document); err != nil {
		return nil, "the string is no " + string(format)
	}
	switch document.(type) {
	case map[string]any, []any:
		return document, ""
	}
	return nil, "the document is no object and no list"
}

// grows says that a YAML document is too large with what its aliases stand for in their places:
// JSON has no aliases.
func grows(data []byte) (message string) {
	if !bytes.ContainsRune(data, '&') || !bytes.ContainsRune(data, '*') {
		return ""
	}
	var document goyaml.Node // which keeps aliases as they are
	if err := goyaml.Unmarshal(data, &document); err != nil {
		return "the string is no YAML"
	}
	if expanded(&document, federate.MostRendered) > federate.MostRendered {
		return fmt.Sprintf("what the aliases of the document stand for is larger than %d bytes together", federate.MostRendered)
	}
	return ""
}

// expanded is about how many bytes a node has without aliases; more than most, if there are more.
func expanded(node *goyaml.Node, most int) int {
	size := 8 + len(node.Value)
	if node.Alias != nil {
		return size + expanded(node.Alias, most-size)
	}
	for _, inner := range node.Content {
		if size > most {
			break
		}
		size += expanded(inner, most-size)
	}
	return size
}

// several says whether there is more than one YAML document with content in a text.
func several(data []byte) bool {
	reader, count := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data))), 0
	for {
		document, err := reader.Read()
		if err != nil {
			return !errors.Is(err, io.EOF) || count > 1
		}
		if len(bytes.TrimSpace(document)) > 0 {
			count++
		}
	}
}

// writeDocument writes a document; JSON that was spread over lines is again.
func writeDocument(document any, before string, format v1alpha1.DocumentFormat) (string, error) {
	var data []byte
	var err error
	switch {
	case format == v1alpha1.FormatYAML:
		data, err = yaml.Marshal(document)
	case strings.Contains(strings.TrimSpace(before), "\n"):
		data, err = json.MarshalIndent(document, "", "  ")
	default:
		data, err = json.Marshal(document)
	}
	return string(data), err
}
