package devices

import (
	"bytes"
	"compress/flate"
	"io"
	"slices"
	"strings"
	"sync"
	"unique"

	resourcev1 "k8s.io/api/resource/v1"
)

// What is taken of a member is bounded: no API server has slices that are as large, but not
// every member need be one.
const (
	// Of a slice: its devices, what these are together, and of each of them what is said of it.
	mostDevices    = 2 * resourcev1.ResourceSliceMaxDevices
	mostOfSlice    = 3 << 19 // no API server stores more
	mostOfDevice   = 256
	mostOfText     = 256
	mostOfValue    = 4 << 10
	mostOfQuantity = 64
)

// ID is which device something is about.
type ID struct{ Driver, Pool, Device string }

// Slice is what is kept of a ResourceSlice.
type Slice struct {
	Driver, Pool string
	// Generation is that of the pool, and Slices how many it has of that.
	Generation, Slices int64
	// Node is the node that the devices are on.
	Node string
	// First is the name of the first device, which is in no other slice of the pool.
	First string
	// Excessive says that it has more than is taken, and so no devices.
	Excessive bool
	// packed are the devices, as bytes: they are much alike, and looked at only to be judged.
	// The same devices make the same bytes.
	packed string
}

// Weight is how many bytes the devices take, and what is left without them is Light.
func (s *Slice) Weight() (bytes int) { return len(s.packed) }

// Light is the slice without its devices.
func (s *Slice) Light() *Slice {
	light := *s
	light.First, light.packed, light.Excessive = "", "", true
	return &light
}

// SliceOf keeps of a ResourceSlice what counts; nothing of devices that belong to no node.
func SliceOf(spec *resourcev1.ResourceSliceSpec) *Slice {
	s := &Slice{Driver: shared(spec.Driver), Pool: spec.Pool.Name, Generation: spec.Pool.Generation, Slices: spec.Pool.ResourceSliceCount}
	long := max(len(s.Driver), len(s.Pool)) > mostOfText
	if long {
		s = s.short()
	}
	if spec.NodeName == nil {
		return s
	}
	s.Node = *spec.NodeName
	if long || len(s.Node) > mostOfText || len(spec.Devices) > mostDevices || spec.Size() > mostOfSlice || slices.ContainsFunc(spec.Devices, isExcessive) {
		return s.short().Light()
	}
	if len(spec.Devices) == 0 {
		return s
	}
	packed, err := pack(spec.Devices)
	if err != nil {
		return s.Light()
	}
	s.First, s.packed = shared(spec.Devices[0].Name), packed
	return s
}

// shared is a text that many slices have, and hold once.
func shared(text string) string {
	if len(text) > mostOfText {
		return text // it is not kept
	}
	return unique.Make(text).Value()
}

// short keeps no more of a slice's names than counts.
func (s *Slice) short() *Slice {
	for _, name := range []*string{&s.Driver, &s.Pool, &s.Node} {
		*name = strings.Clone((*name)[:min(len(*name), mostOfText)])
	}
	return s
}

// isExcessive says whether a device has more to it than is taken.
func isExcessive(d resourcev1.Device) bool {
	if len(d.Name) > mostOfText || len(d.Attributes)+len(d.Capacity)+len(d.Taints) > mostOfDevice {
		return true
	}
	for name, attribute := range d.Attributes {
		if len(name) > mostOfText || attribute.Size() > mostOfValue {
			return true
		}
	}
	for name, c := range d.Capacity {
		if len(name) > mostOfText || len(c.Value.String()) > mostOfQuantity {
			return true
		}
	}
	return slices.ContainsFunc(d.Taints, func(t resourcev1.DeviceTaint) bool { return max(len(t.Key), len(t.Value), len(t.Effect)) > mostOfText })
}

// valuesOf are capacities without how they may be asked for.
func valuesOf(capacity map[resourcev1.QualifiedName]resourcev1.DeviceCapacity) map[resourcev1.QualifiedName]resourcev1.DeviceCapacity {
	if len(capacity) == 0 {
		return nil
	}
	values := make(map[resourcev1.QualifiedName]resourcev1.DeviceCapacity, len(capacity))
	for name, c := range capacity {
		values[name] = resourcev1.DeviceCapacity{Value: c.Value}
	}
	return values
}

// closing is a taint that keeps claims away, as it is kept.
var closing = []resourcev1.DeviceTaint{{Effect: resourcev1.DeviceTaintEffectNoSchedule}}

// isClosed says whether a device has a taint that keeps claims away.
func isClosed(device *resourcev1.Device) bool {
	return slices.ContainsFunc(device.Taints, func(t resourcev1.DeviceTaint) bool { return closes(t.Effect) })
}

// Writers and readers are large, and made for one use after another.
var (
	writers = sync.Pool{New: func() any { w, _ := flate.NewWriter(nil, flate.BestSpeed); return w }} // it fails for other levels
	readers = sync.Pool{New: func() any { return flate.NewReader(nil) }}
)

// pack keeps of devices what they are judged by.
func pack(devices []resourcev1.Device) (string, error) {
	kept := resourcev1.ResourceSliceSpec{Devices: make([]resourcev1.Device, len(devices))}
	for i := range devices {
		d := &devices[i]
		kept.Devices[i] = resourcev1.Device{Name: d.Name, Attributes: d.Attributes, Capacity: valuesOf(d.Capacity), AllowMultipleAllocations: d.AllowMultipleAllocations}
		if isClosed(d) {
			kept.Devices[i].Taints = closing
		}
	}
	data, err := kept.Marshal()
	if err != nil {
		return "", err
	}
	var packed bytes.Buffer
	w, _ := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	w.Reset(&packed)
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return packed.String(), nil
}

// devices are those of the slice. They are made anew each time.
func (s *Slice) devices() ([]resourcev1.Device, error) {
	if s.packed == "" {
		return nil, nil
	}
	r, _ := readers.Get().(interface {
		io.Reader
		flate.Resetter
	})
	defer readers.Put(r)
	if err := r.Reset(strings.NewReader(s.packed), nil); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var kept resourcev1.ResourceSliceSpec
	if err := kept.Unmarshal(data); err != nil {
		return nil, err
	}
	return kept.Devices, nil
}
