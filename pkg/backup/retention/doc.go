// Package retention says which runs of a Backup are kept.
//
// Only good runs count. A run that saved something but not all takes no good run's
// place: it is kept where a rule looks for a run and finds no good one, and while
// it is all there is. Runs that saved nothing hold no data; their records are
// capped by [Records].
//
// The package is pure: no requests, no clock. It imports the API types.
package retention
