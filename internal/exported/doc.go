// Package exported is the format of an export of a federation: a folder of plain manifests
// that kubectl could apply, and a file that says what is in them, so that an import takes
// nothing for a whole export that is not one.
//
//	contents.go  what an export says of itself, and whether the files are as it says
//	portable.go  what of an object another host can be told
//	reach.go     which objects of a host are a control plane's
//	records.go   what of a status goes with it: that something was done, and is not to be done again
//	folder.go    writing files, and reading objects from them one by one
//	archive.go   all of it as one file
//	bounds.go    what is not read, kept or told of a file that somebody hands on
//
// It makes no request. "fedctl export" writes it and "fedctl import" reads it.
package exported
