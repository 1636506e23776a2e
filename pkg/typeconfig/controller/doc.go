// Package controller makes the set of running types follow the FederatedTypeConfigs
// of the host cluster and their CustomResourceDefinitions. plan says what a
// FederatedTypeConfig asks for, a type to run or why none should; the reconciler
// tells the Registrar and writes what came of it.
//
// It may import pkg/typeconfig, its finalizers and controller-runtime. It knows
// nothing of propagation.
package controller
