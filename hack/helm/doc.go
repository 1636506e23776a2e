// Package helm tests the charts with Helm's own library: they lint, they render what
// "fedctl install" applies, and values change what they say and nothing else.
//
// It is a module of its own, so that Helm and what it needs are no dependency of fedctl.
// Helm 4 is taken, in the version for the same client libraries as fedctl's: it applies
// server-side, where a chart that fights over fields is refused, and can also patch as
// Helm 3 does.
package helm
