// Package kubefedconfig knows KubeFed's settings: which defaults it gives a
// KubeFedConfig, which fields are without an effect here, and which take a restart.
// It computes from plain values and imports nothing but API types.
package kubefedconfig
