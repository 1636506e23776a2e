// Package cases reads the cases of the differential suite and tells what they show.
//
//   - Load reads and checks the files of test/differential/manifests.
//   - Meant and Known are the differences between KubeFed and fedctl that are meant,
//     and those that are to be mended.
//   - Table writes what docs/kubefed.md says of them. The suite proves it.
//
// It works on files and plain values; it may import test/outcome and apimachinery's
// types, no client.
package cases
