// Package webhookcerts decides when the certificate authority and the serving
// certificate of the admission webhook are renewed, and makes them. It reads
// neither clock nor cluster: internal/webhook gives it the time, what the Secret
// holds and what the API server trusts, and stores what comes back.
//
// Nothing ever fails for a renewal. A new authority is first trusted beside the
// old one, and signs only when API servers have had time to see that; what the
// old one has signed stays valid until it ends on its own.
package webhookcerts
