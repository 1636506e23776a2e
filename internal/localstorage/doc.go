// Package localstorage runs real storage servers as processes with their data on this
// machine, for the suites and the benchmark: an S3 server (versitygw), and servers of
// Google Cloud Storage's and Azure Blob Storage's APIs (fake-gcs-server, Azurite).
// Nothing else may import it.
package localstorage
