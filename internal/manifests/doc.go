// Package manifests builds the shipped manifests, those of config/, as they are
// applied: for a namespace, a scope and an image. It is what installs, uninstalls and
// packages a control plane, or what its members need of one, and so it is the only
// place that knows which objects there are and how they are called.
//
// The package is pure: it reads the files that config embeds, makes no request and
// knows no command. It may import config, the pure packages, and from the packages of
// controllers the names and bindings that they look for.
package manifests
