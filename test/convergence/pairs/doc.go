// Package pairs makes the pairs of templates of the convergence suite: what a template
// is first, and what it is changed to.
//
//   - Load reads the seeds: for each type a template, and pairs written by hand.
//   - Generate makes more of them, from what the seed names and from the type's
//     OpenAPI schema.
//
// It is pure: no client, no clock, and the same seed of chance gives the same pairs.
package pairs
