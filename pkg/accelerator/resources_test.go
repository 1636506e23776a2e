package accelerator

import "testing"

func TestIsAccelerator(t *testing.T) {
	for name, want := range map[string]bool{
		"nvidia.com/gpu": true, "nvidia.com/mig-1g.5gb": true, "amd.com/gpu": true, "gpu.intel.com/i915": true, "google.com/tpu": true,
		"aws.amazon.com/neuroncore": true, "huawei.com/Ascend910": true, "example.com/npu": true,
		"cpu": false, "hugepages-2Mi": false, "smarter-devices/fuse": false, "vpc.amazonaws.com/pod-eni": false,
		"kubernetes.io/gpu": false, "alpha.kubernetes.io/nvidia-gpu": false, "gpu": false, "": false,
	} {
		if got := IsAccelerator(name); got != want {
			t.Errorf("IsAccelerator(%q) = %t, want %t", name, got, want)
		}
	}
}

func TestBaseName(t *testing.T) {
	for name, want := range map[string]string{
		"nvidia.com/gpu": "nvidia.com/gpu", "nvidia.com/gpu.shared": "nvidia.com/gpu", "nvidia.com/mig-1g.10gb": "nvidia.com/gpu",
		"nvidia.com/mig-1g.10gb.shared": "nvidia.com/gpu", "amd.com/mig-1": "amd.com/mig-1", "google.com/tpu": "google.com/tpu", "cpu": "cpu",
	} {
		if got := BaseName(name); got != want {
			t.Errorf("BaseName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestProduct(t *testing.T) {
	for name, tt := range map[string]struct {
		labels      map[string]string
		label, want string
	}{
		"what the device plugin says goes before what the provider says": {
			map[string]string{"cloud.google.com/gke-accelerator": "nvidia-a100", "nvidia.com/gpu.product": "A100-SXM4-40GB-MIG-1g.5gb"}, "nvidia.com/gpu.product", "A100-SXM4-40GB-MIG-1g.5gb"},
		"a family is no product": {map[string]string{"accelerator": "nvidia"}, "", ""},
		"none":                   {nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if label, product := Product(tt.labels); label != tt.label || product != tt.want {
				t.Errorf("got %s=%s", label, product)
			}
		})
	}
}
