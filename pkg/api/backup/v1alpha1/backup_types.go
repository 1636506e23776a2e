package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Backup saves objects of its cluster to a repository again and again.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=bk,categories=backup-all
// +kubebuilder:printcolumn:name="Schedule",type=string,JSONPath=`.spec.schedule`
// +kubebuilder:printcolumn:name="Suspend",type=boolean,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.spec.repositoryRef.name`
// +kubebuilder:printcolumn:name="Last Success",type=date,JSONPath=`.status.lastSuccess.time`
// +kubebuilder:printcolumn:name="Next Run",type=string,JSONPath=`.status.nextRun`
// +kubebuilder:printcolumn:name="Within Objective",type=string,JSONPath=`.status.conditions[?(@.type=="WithinObjective")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Backup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec BackupSpec `json:"spec"`
	// +optional
	Status BackupStatus `json:"status,omitempty"`
}

// BackupList is a list of Backups.
//
// +kubebuilder:object:root=true
type BackupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Backup `json:"items"`
}

// BackupSpec says what is saved, when, where to and for how long.
type BackupSpec struct {
	// Schedule in cron syntax: five fields (minute, hour, day of month, month, day
	// of week), or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly,
	// @annually, or "@every" and a duration.
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:XValidation:rule="self.matches('^\\\\s*(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|@every\\\\s+([0-9]+(\\\\.[0-9]+)?(h|m|s|ms))+|([0-9A-Za-z*/,?-]+\\\\s+){4}[0-9A-Za-z*/,?-]+)\\\\s*$')",message="must be five cron fields such as \"30 2 * * *\", or @hourly, @daily, @weekly, @monthly, @yearly, or @every and a duration"
	Schedule string `json:"schedule"`
	// TimeZone of the schedule, by its IANA name such as Europe/Berlin; UTC by default.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`
	// +kubebuilder:validation:MaxLength=100
	// +optional
	TimeZone string `json:"timeZone,omitempty"`
	// Suspend stops the schedule. Running executions go on.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// Jitter delays every run by a fixed part of this window, another one in each
	// cluster, so that a fleet does not start at once.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s')",message="must not be negative"
	// +optional
	Jitter *metav1.Duration `json:"jitter,omitempty"`
	// MissedRuns says what becomes of runs whose time passed unused.
	// +optional
	MissedRuns *MissedRuns `json:"missedRuns,omitempty"`
	// ConcurrencyPolicy says what to do when a run is due while another one runs.
	// +kubebuilder:default=Forbid
	// +optional
	ConcurrencyPolicy ConcurrencyPolicy `json:"concurrencyPolicy,omitempty"`
	// Timeout ends a run that takes longer.
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be more than 0"
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Retry repeats a run that failed; three times by default.
	// +optional
	Retry *Retry `json:"retry,omitempty"`
	// Source says which objects are saved; by default all of this namespace.
	// +optional
	Source BackupSource `json:"source,omitempty"`
	// Hooks run in pods before and after the objects are read.
	// +optional
	Hooks *Hooks `json:"hooks,omitempty"`
	// RepositoryRef names the BackupRepository to write to.
	RepositoryRef LocalReference `json:"repositoryRef"`
	// Retention says which runs are kept; all by default.
	// +optional
	Retention *Retention `json:"retention,omitempty"`
	// Verify reads back what was written, more than every run does anyway: each makes
	// sure that all of its data is in the storage, and reads a share of what is there.
	// +optional
	Verify *Verify `json:"verify,omitempty"`
	// Objective is how old the last good run may be.
	// +optional
	Objective *Objective `json:"objective,omitempty"`
	// DeletionPolicy says what becomes of stored data when the Backup is deleted.
	// +kubebuilder:default=Retain
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// ConcurrencyPolicy says what to do when a run is due while another one runs.
//
// +kubebuilder:validation:Enum=Forbid;Replace;Queue
type ConcurrencyPolicy string

// The concurrency policies.
const (
	ConcurrencyForbid  ConcurrencyPolicy = "Forbid"
	ConcurrencyReplace ConcurrencyPolicy = "Replace"
	ConcurrencyQueue   ConcurrencyPolicy = "Queue"
)

// DeletionPolicy says what becomes of stored data when its owner is deleted.
//
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

// The deletion policies.
const (
	DeletionRetain DeletionPolicy = "Retain"
	DeletionDelete DeletionPolicy = "Delete"
)

// MissedRuns says what becomes of runs whose time passed, for example while the
// cluster was down. However many were missed, at most one is made up for.
type MissedRuns struct {
	// Policy is RunOnce or Skip.
	// +kubebuilder:validation:Enum=RunOnce;Skip
	// +kubebuilder:default=RunOnce
	// +optional
	Policy string `json:"policy,omitempty"`
	// Deadline is how late a run may start; no limit by default.
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be more than 0"
	// +optional
	Deadline *metav1.Duration `json:"deadline,omitempty"`
}

// Retry repeats failed runs.
type Retry struct {
	// Limit is how often a run is repeated.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	// +kubebuilder:default=3
	// +optional
	Limit *int32 `json:"limit,omitempty"`
	// Backoff is the time before the first repetition, one minute by default; it
	// doubles with each, up to an hour.
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be more than 0"
	// +optional
	Backoff *metav1.Duration `json:"backoff,omitempty"`
}

// Retention says which good runs are kept: a run that any rule wants is kept. The
// newest of every hour, day, week, month and year counts for the rule.
//
// +kubebuilder:validation:XValidation:rule="!has(self.maxAge) || duration(self.maxAge) > duration('0s')",message="maxAge must be more than 0"
type Retention struct {
	// Last keeps the newest runs.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Last *int32 `json:"last,omitempty"`
	// Hourly keeps one run of each of the last hours.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Hourly *int32 `json:"hourly,omitempty"`
	// Daily keeps one run of each of the last days.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Daily *int32 `json:"daily,omitempty"`
	// Weekly keeps one run of each of the last weeks.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Weekly *int32 `json:"weekly,omitempty"`
	// Monthly keeps one run of each of the last months.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Monthly *int32 `json:"monthly,omitempty"`
	// Yearly keeps one run of each of the last years.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Yearly *int32 `json:"yearly,omitempty"`
	// MaxAge removes older runs, whatever other rules say, except for MinGood.
	// +optional
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
	// MinGood is how many good runs are always kept.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:default=1
	// +optional
	MinGood *int32 `json:"minGood,omitempty"`
}

// Verify reads runs back.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.everyRuns) && has(self.schedule))",message="everyRuns and schedule exclude each other"
type Verify struct {
	// EveryRuns verifies each run with this distance.
	// +kubebuilder:validation:Minimum=1
	// +optional
	EveryRuns *int32 `json:"everyRuns,omitempty"`
	// Schedule verifies the newest run at these times, in the syntax of spec.schedule.
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:XValidation:rule="self.matches('^\\\\s*(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|@every\\\\s+([0-9]+(\\\\.[0-9]+)?(h|m|s|ms))+|([0-9A-Za-z*/,?-]+\\\\s+){4}[0-9A-Za-z*/,?-]+)\\\\s*$')",message="must be five cron fields such as \"30 2 * * *\", or @hourly, @daily, @weekly, @monthly, @yearly, or @every and a duration"
	// +optional
	Schedule string `json:"schedule,omitempty"`
	// Mode is Checksum, which reads and checks all data, or Restore, which restores
	// into a scratch namespace and compares.
	// +kubebuilder:validation:Enum=Checksum;Restore
	// +kubebuilder:default=Checksum
	// +optional
	Mode string `json:"mode,omitempty"`
	// Within is the time in which runs read all data of the repository back, each a
	// share, whatever the mode is: 30 days (720h) by default; 0s reads none.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s')",message="must not be negative"
	// +optional
	Within *metav1.Duration `json:"within,omitempty"`
}

// Objective is the recovery point objective.
type Objective struct {
	// MaxAge is how old the last good run may be.
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be more than 0"
	MaxAge metav1.Duration `json:"maxAge"`
}

// BackupStatus is what became of a Backup.
type BackupStatus struct {
	ConditionedStatus `json:",inline"`
	// LastSuccess is the last good run.
	// +optional
	LastSuccess *RunSummary `json:"lastSuccess,omitempty"`
	// LastVerified is the last run that was read back and found good.
	// +optional
	LastVerified *RunSummary `json:"lastVerified,omitempty"`
	// NextRun is when the next run starts, after jitter.
	// +optional
	NextRun *metav1.Time `json:"nextRun,omitempty"`
	// LastTick is the latest time of the schedule, before jitter, that was dealt with:
	// by a run, or by passing it over.
	// +optional
	LastTick *metav1.Time `json:"lastTick,omitempty"`
	// ObservedSchedule is the schedule and time zone that lastTick belongs to. Times of
	// a new schedule count from its change on.
	// +optional
	ObservedSchedule string `json:"observedSchedule,omitempty"`
	// LastVerification is when data was last read back, with whatever result.
	// +optional
	LastVerification *metav1.Time `json:"lastVerification,omitempty"`
	// Missed counts the runs that were skipped since the last good one.
	// +optional
	Missed int32 `json:"missed,omitempty"`
	// RecentRuns are the last runs, the newest first.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	RecentRuns []RunSummary `json:"recentRuns,omitempty"`
	// Totals is what the repository holds of this Backup.
	// +optional
	Totals Totals `json:"totals,omitempty"`
}

// RunSummary is a run in a few words.
type RunSummary struct {
	// Name of the BackupRun.
	Name string `json:"name"`
	// Time at which it finished, or started if it still runs.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
	// Phase it is in.
	// +optional
	Phase RunPhase `json:"phase,omitempty"`
}
