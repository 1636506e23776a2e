// Package view turns what clusters hold into what is shown of it: objects into rows,
// which programs read as JSON, and rows into tables, which people read. The command
// line prints them; a web page and an API read the same rows.
//
//   - objects.go, objecttable.go: federated objects and where they are
//   - clusters.go: member clusters; fleet.go: as the API of the fleet serves them
//   - backups.go, blocked.go, runs.go: Backups and their runs in the members
//   - printer.go: one printer for all, with one indent; cells.go: the words of cells
//
// What makes rows and tables is pure: no request, no clock (now is a parameter), and
// no order but its own. The package knows no command; it may import the pure packages
// and, of the packages of controllers, the names of annotations.
package view
