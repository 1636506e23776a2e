// Package executor carries out Backups and Restores in one cluster.
//
// An [Executor] works on one cluster through that cluster's API alone: it reads
// Backups, BackupRuns, BackupRepositories and Restores there, and writes their
// status there. It does not matter where it runs: in the host's controller, one for
// each member ([Fleet]), or inside the member, where schedules outlive the host. A
// Lease in the cluster decides who works; the others wait for it.
//
// Who does what:
//
//   - the Backup's reconciler decides what is due (pkg/backup/schedule), creates
//     BackupRuns and writes the Backup's status, which it computes from them. The
//     name of a run follows from its Backup and time, so that to create it is to
//     claim the time: nobody runs it twice.
//   - the BackupRun's reconciler claims runs, by a write of the status that fails if
//     anybody else has written, and starts them as jobs. What is found running and
//     is no job of this executor was left by one that died: it is tried again.
//   - jobs do what takes long: reading the cluster into the repository, reading
//     back, removing what retention does not keep, restoring. They end with the Lease.
//
// What it may not do in a cluster, or that the cluster does not know the types, it tells
// a [Reporter], beside its log and metrics.
//
// A cluster that hangs, refuses, or does not know these types harms nobody else:
// each executor has its own connection, caches and queues.
//
// It needs these rights in the cluster, beside those that saving and restoring need:
// backup.fedctl.io: get, list, watch of all four kinds; patch of backups and
// backupruns; create and delete of backupruns; update of all status subresources;
// get of Secrets and Namespaces; create and patch of events.k8s.io events; get,
// create and update of Leases in the namespace of its own; delete of VolumeSnapshots
// where Backups make them.
//
// The package may import the other packages of pkg/backup, pkg/membership's types,
// and controller-runtime.
package executor
