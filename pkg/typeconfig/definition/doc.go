// Package definition makes the CustomResourceDefinition of a federated type from the
// schema of its target: KubeFed's, with the template's fields known to kubectl
// explain, and never refusing what only a member can judge.
//
// It computes from plain values: who fetches the schema of the target is
// pkg/typeconfig/enablement, and hack/generate for the types that are shipped.
package definition
