package export

import "testing"

func TestNamesOfExports(t *testing.T) {
	for path, good := range map[string]bool{
		"federation": true, "a/federation-1.2": true, "federation.tar.gz": true, "federation.tgz": true,
		"": false, "federation.tar": false, "federation.zip": false, "federation.gz": false,
	} {
		if err := (&Options{Path: path}).Validate(); (err == nil) != good {
			t.Errorf("%q: %v", path, err)
		}
	}
}
