// Package enablement is what "fedctl enable" and "fedctl disable" do in a host
// cluster: it finds the type that a name means, puts its definition, its
// FederatedTypeConfig and the rights to it there, waits for the controller, and
// takes all of that away again. ReleaseAll does so for a control plane that is being
// uninstalled.
//
// It may import pkg/typeconfig with definition and finalizers, client-go and
// controller-runtime's client; not the controller, which it meets in the host only.
package enablement
