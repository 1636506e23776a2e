// Package typeconfig turns FederatedTypeConfigs into running federated types.
//
// It has three parts. The pure part reads a FederatedTypeConfig as a Type,
// validates it and generates the CustomResourceDefinition of a federated type
// from the schema of its target. The controller watches FederatedTypeConfigs and
// tells a Registrar, the propagation engine, which types run. The rest is what
// "fedctl enable" and "fedctl disable" do on a host cluster.
//
// It may import pkg/federate and the API packages; never pkg/propagation, which
// it knows only as a Registrar, and never internal packages.
package typeconfig
