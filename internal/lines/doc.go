// Package lines writes lines of many sources as one text: whose each is stands before it, and
// none is torn by another. It is pure: what is read and written is given to it.
//
//   - style.go: how a line is written: its prefix, its colour, what a terminal is spared
//   - reader.go: lines of one source, of a bounded length, with the times they bear
//   - merge.go: lines of many sources in the order of their times
//   - writer.go: whole lines of sources that come at once
package lines
