// Package version says which build this is.
package version

import "runtime/debug"

// version is set at build time by -ldflags "-X .../internal/version.version=v1.2.3".
var version string

// Get returns the version: the one set at build time, else the module's, else "devel".
func Get() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
