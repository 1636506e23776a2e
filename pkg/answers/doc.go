// Package answers bounds what a server that is not ours can make us read and where it
// can send us: API servers of members, and storage. An answer ends with an error where
// it is too long, counted after decompression; what was read by then is not all of it.
//
// It imports pkg/errtext only, and makes no requests of its own.
package answers
