// Package monitoring holds what config/monitoring says to what there is: its tests parse
// every expression with Prometheus' own parser, look for each metric in the reference, and
// have the alerts evaluated by Prometheus' own engine. It is a module of its own, because
// Prometheus brings many others with it.
package monitoring
