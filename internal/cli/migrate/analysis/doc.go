// Package analysis judges what was read of a host cluster that runs, or ran,
// KubeFed: what fedctl takes over, what is odd about it, and what to run in which
// order. It computes from plain values: it may not import a client of clusters,
// and has no clock; the time comes with the input.
package analysis
