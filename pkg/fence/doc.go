// Package fence keeps a controller that does not lead any more from writing.
//
// A leader that is paused for longer than its Lease (SIGSTOP, a frozen cgroup, a
// machine that sleeps) has in its queues, and behind its limits of requests, what it
// had decided before. Another one leads by the time it goes on, and the world has
// changed. client-go finds that out with its next renewal, and then keeps trying for
// the whole renew deadline.
//
// A [Fence] watches the Lease's requests ([Fence.Lock]) and refuses others
// ([Fence.Wrap]), right before they are sent, unless the Lease was renewed within its
// validity. Time is told by a clock that runs while the machine sleeps. A Lease that
// was lost, to another holder or to time, is lost for good: [Fence.Lost] tells, and
// whoever decided anything under it must end or begin anew.
//
// What a fence cannot do: a request that was on its way when the process was paused
// may still be carried out. What is deleted or forced therefore carries a
// precondition as well.
//
// The package may import client-go, and nothing of this module.
package fence
