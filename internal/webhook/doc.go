// Package webhook serves the admission webhook that defaults KubeFedConfigs, and
// looks after its certificates and the MutatingWebhookConfiguration. Every replica
// serves; the leader renews. What is refused is the business of policies, which
// need no controller (config/policies).
package webhook
