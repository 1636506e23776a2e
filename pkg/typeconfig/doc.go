// Package typeconfig is a federated type as everybody else uses it: what a
// FederatedTypeConfig says, read, completed and validated (Type), and the
// Registrar, through which the engine and others hear which types run.
//
// It computes from plain values and makes no requests. Below it, importing it and
// not each other but where said:
//
//   - definition makes the CustomResourceDefinition of a federated type;
//   - enablement is what "fedctl enable" and "fedctl disable" do, with definition;
//   - controller watches FederatedTypeConfigs and tells a Registrar which types run;
//   - finalizers lets go of the objects of types that nobody propagates, for both.
//
// It may import pkg/federate and the API packages; never pkg/propagation, which it
// knows only as a Registrar, and never internal packages.
package typeconfig
