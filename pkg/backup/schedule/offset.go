package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"time"
)

// Offset returns how much later than its schedule something runs in one cluster:
// at least 0 and less than window, in whole seconds, evenly spread over clusters and
// keys, and always the same for the same arguments. The cluster is named by the UID
// of its namespace kube-system.
func Offset(window time.Duration, clusterUID, key string) time.Duration {
	if window <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(clusterUID + "\x00" + key))
	part, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:]), uint64(window))
	return time.Duration(part).Truncate(time.Second) //nolint:gosec // less than window, which fits
}
