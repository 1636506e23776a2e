package cases

// Table is what docs/kubefed.md says of the cases.
func Table(_ *Suite) string { return "" }
