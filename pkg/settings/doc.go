// Package settings holds what the controller can be told: a struct for each
// subsystem, with the flag, the default and the validation of every setting beside
// it. There is no other default: a subsystem takes its struct as it is.
//
// Where values come from (flags, environment, file, KubeFedConfig) is the business of
// internal/config. A new setting is a field, a line in AddFlags and, where not every
// value makes sense, one in Validate; and a line in docs/reference.md.
//
// It may import pflag, pkg/kubefedconfig and pkg/backup/network, and is imported by everybody who has
// settings. It computes from plain values.
package settings
