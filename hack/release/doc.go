// Package release holds what a release is made with, and tests what comes of it:
// "make release-snapshot" has goreleaser build everything and publish nothing, and then has
// these tests look at it. It is a module of its own, because goreleaser and krew, which are
// built from it, bring many others with them.
//
//	completions.sh  completions for shells, in the archives
//	notes.sh        what CHANGELOG.md says of a version
//	charts.sh       the charts as packages, which it pushes
package release
