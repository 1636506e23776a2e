// Package kit is what several suites stand on beside test/e2e/framework: the
// framework starts clusters and programs and makes no assertions; the kit makes them,
// with Ginkgo and Gomega, so that its helpers fail the spec that calls them. That is
// why it is a package of its own: the framework also serves what is no suite.
//
//   - objects.go: objects of any kind by reference: read, change, wait for
//   - shop.go: what is federated in the suites of lost hosts and of upgrades
//   - events.go: what events say of an object
//   - program.go: fedctl, and the end of the controller's log when a spec fails
//   - host.go: a host that is nothing but an API server, for suites of commands
package kit
