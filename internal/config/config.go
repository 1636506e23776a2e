// Package config reads the controller's configuration. A setting comes from,
// in this order: a flag, the environment (FEDCTL_ and the flag's name in capitals
// with underscores), the file named by --config (the flags' names as keys), the
// KubeFedConfig (the file named by --kubefed-config, else the object "kubefed" in
// the KubeFed namespace), the default.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/backup/network"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Config is the controller's configuration. Durations that are 0 mean "none"
// only where the flag's help says so.
type Config struct {
	Kubeconfig        string `mapstructure:"kubeconfig"`
	Context           string `mapstructure:"context"`
	KubeFedNamespace  string `mapstructure:"kubefed-namespace"`
	KubeFedConfigFile string `mapstructure:"kubefed-config"`
	Mode              string `mapstructure:"mode"`
	Scope             string `mapstructure:"scope"`

	LeaderElect   bool          `mapstructure:"leader-elect"`
	LeaseDuration time.Duration `mapstructure:"leader-elect-lease-duration"`
	RenewDeadline time.Duration `mapstructure:"leader-elect-renew-deadline"`
	RetryPeriod   time.Duration `mapstructure:"leader-elect-retry-period"`

	WebhookAddress             string        `mapstructure:"webhook-bind-address"`
	WebhookURL                 string        `mapstructure:"webhook-url"`
	WebhookCAValidity          time.Duration `mapstructure:"webhook-ca-validity"`
	WebhookCertificateValidity time.Duration `mapstructure:"webhook-certificate-validity"`

	HealthProbeAddress string `mapstructure:"health-probe-bind-address"`
	MetricsAddress     string `mapstructure:"metrics-bind-address"`
	ProfilingAddress   string `mapstructure:"pprof-bind-address"`
	LogLevel           int    `mapstructure:"log-level"`
	LogFormat          string `mapstructure:"log-format"`

	HealthCheckPeriod           time.Duration `mapstructure:"cluster-health-check-period"`
	HealthCheckTimeout          time.Duration `mapstructure:"cluster-health-check-timeout"`
	HealthCheckFailureThreshold int           `mapstructure:"cluster-health-check-failure-threshold"`
	HealthCheckSuccessThreshold int           `mapstructure:"cluster-health-check-success-threshold"`

	PushReconciler       bool `mapstructure:"push-reconciler"`
	SchedulerPreferences bool `mapstructure:"scheduler-preferences"`

	AdoptResources         bool          `mapstructure:"adopt-resources"`
	CollectStatus          bool          `mapstructure:"collect-status"`
	Workers                int           `mapstructure:"workers"`
	WorkersPerCluster      int           `mapstructure:"workers-per-cluster"`
	HostWorkers            int           `mapstructure:"host-workers"`
	MemberQPS              float32       `mapstructure:"member-qps"`
	MemberBurst            int           `mapstructure:"member-burst"`
	RequestTimeout         time.Duration `mapstructure:"request-timeout"`
	SettleTimeout          time.Duration `mapstructure:"settle-timeout"`
	RetryMax               time.Duration `mapstructure:"retry-max"`
	UnreadyDeletionTimeout time.Duration `mapstructure:"unready-deletion-timeout"`
	VersionRecords         string        `mapstructure:"version-records"`
	UnschedulableAfter     time.Duration `mapstructure:"unschedulable-after"`

	Backups           bool          `mapstructure:"backups"`
	BackupJobs        int           `mapstructure:"backup-jobs"`
	BackupClusterJobs int           `mapstructure:"backup-jobs-per-cluster"`
	BackupPoll        time.Duration `mapstructure:"backup-poll"`
	BackupCacheDir    string        `mapstructure:"backup-cache-dir"`

	BackupFilesystemRoots []string `mapstructure:"backup-filesystem-roots"`
	BackupOwnIdentity     bool     `mapstructure:"backup-own-identity"`
	BackupAddresses       []string `mapstructure:"backup-storage-addresses"`
	BackupTokenURIs       []string `mapstructure:"backup-token-uris"`
}

// The values of Mode.
const (
	ModeHost   = "host"
	ModeMember = "member"
)

// The values of VersionRecords.
const (
	RecordInStatus          = "Status"
	RecordPropagatedVersion = "PropagatedVersion"
)

// AddFlags adds a flag for every setting, with its default.
func AddFlags(flags *pflag.FlagSet) {
	flags.String("config", "", "File with settings, YAML or JSON; its keys are the names of these flags.")
	flags.String("kubefed-config", "", "File with a KubeFedConfig; by default the object kubefed in the KubeFed namespace.")
	flags.String("kubeconfig", "", "Kubeconfig of the host cluster; by default the Pod's own service account, else $KUBECONFIG, else ~/.kube/config.")
	flags.String("context", "", "Context of the host cluster in the kubeconfig; by default the current one.")
	flags.String("kubefed-namespace", kubefedconfig.DefaultNamespace, "Namespace of the control plane in the host cluster.")
	flags.String("mode", ModeHost, "host, for the control plane; or member, to execute this cluster's own backups and nothing else.")
	flags.String("scope", "Cluster", "Cluster, or Namespaced: the KubeFed namespace is then the only one that is federated.")

	flags.Bool("leader-elect", true, "Elect a leader among several controllers, by a Lease in the KubeFed namespace.")
	flags.Duration("leader-elect-lease-duration", 15*time.Second, "How long a leader that has stopped renewing its Lease is waited for.")
	flags.Duration("leader-elect-renew-deadline", 10*time.Second, "How long the leader tries to renew its Lease before it gives up.")
	flags.Duration("leader-elect-retry-period", 5*time.Second, "Time between tries to get or renew the Lease.")

	flags.String("webhook-bind-address", "", "Address of the admission webhook that defaults KubeFedConfigs, such as :9443; empty for none.")
	flags.String("webhook-url", "", "Address of the webhook as the host's API server reaches it, https://host:port, for a controller outside of the host cluster; by default the Service fedctl-controller-webhook.")
	flags.Duration("webhook-ca-validity", 365*24*time.Hour, "How long a certificate authority of the webhook is valid; it is replaced when half of that has passed.")
	flags.Duration("webhook-certificate-validity", 30*24*time.Hour, "How long a serving certificate of the webhook is valid; it is replaced when half of that has passed.")

	flags.String("health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 for none.")
	flags.String("metrics-bind-address", ":8080", "Address of /metrics; 0 for none.")
	flags.String("pprof-bind-address", "", "Address of Go's profiles under /debug/pprof; empty for none.")
	flags.Int("log-level", 0, "0 for what an operator needs, 1 to follow each failure, 2 and more for developers.")
	flags.String("log-format", "json", "json or text.")

	flags.Duration("cluster-health-check-period", 10*time.Second, "Time between two probes of a member cluster.")
	flags.Duration("cluster-health-check-timeout", 3*time.Second, "How long a probe may take.")
	flags.Int("cluster-health-check-failure-threshold", 3, "Probes that must fail in a row before a ready cluster is unready.")
	flags.Int("cluster-health-check-success-threshold", 1, "Probes that must succeed in a row before an unready cluster is ready.")

	flags.Bool("push-reconciler", true, "Propagate federated objects to the members (feature gate PushReconciler).")
	flags.Bool("scheduler-preferences", true, "Serve ReplicaSchedulingPreferences (feature gate SchedulerPreferences).")
	flags.Bool("adopt-resources", true, "Take over objects that exist in a member cluster already.")
	flags.Bool("collect-status", false, "Collect the status of the members' objects for types that ask for it (feature gate RawResourceStatusCollection).")
	flags.Int("workers", 256, "Items in work at a time, over all clusters.")
	flags.Int("workers-per-cluster", 16, "Items of one member cluster in work at a time.")
	flags.Int("host-workers", 16, "Items of the host cluster in work at a time.")
	flags.Float32("member-qps", 0, "Requests a second to one member cluster; 0 leaves the limit to its API server.")
	flags.Int("member-burst", 0, "Requests above --member-qps for a short time.")
	flags.Duration("request-timeout", 15*time.Second, "How long a request to an API server may take; watches are not limited.")
	flags.Duration("settle-timeout", 5*time.Second, "How long a status waits for clusters that have not answered.")
	flags.Duration("retry-max", 5*time.Minute, "Longest time between two tries of what fails.")
	flags.Duration("unready-deletion-timeout", 0, "How long a deletion waits for a member cluster that is not ready; 0 until it is ready or unjoined.")
	flags.String("version-records", RecordInStatus, "Where what was propagated is recorded: Status, or PropagatedVersion to write KubeFed's PropagatedVersions as well.")
	flags.Duration("unschedulable-after", time.Minute, "How long a pod may have no node before ReplicaSchedulingPreferences take its cluster for full.")

	flags.Bool("backups", true, "Execute the Backups of the members that know them, unless an executor inside a member does.")
	flags.Int("backup-jobs", 16, "Runs, restores and verifications of backups in work at a time, over all clusters.")
	flags.Int("backup-jobs-per-cluster", 2, "Runs, restores and verifications of one cluster in work at a time.")
	flags.Duration("backup-poll", 5*time.Second, "How long a run that has to wait waits at most before it is looked at again.")
	flags.String("backup-cache-dir", "", "Directory for temporary files of backup repositories; the system's by default.")
	flags.StringSlice("backup-filesystem-roots", nil, "Directories of this controller that BackupRepositories of members may name in spec.filesystem, they and all beneath them; none by default. With --mode=member, any may be named.")
	flags.Bool("backup-own-identity", false, "Let BackupRepositories of members without credentials use this controller's own cloud identity. With --mode=member, they always may.")
	flags.StringSlice("backup-storage-addresses", nil, "Addresses, or ranges of them such as 127.0.0.0/8, that the storage of BackupRepositories may have although they are this machine, link-local, or a cloud's metadata service.")
	flags.StringSlice("backup-token-uris", nil, "Where keys of Google service accounts in the Secrets of BackupRepositories may say that tokens come from, beside Google.")
}

// SettingsFile reads --config into v and makes v prefer flags and the environment.
func SettingsFile(v *viper.Viper, flags *pflag.FlagSet) error {
	v.SetEnvPrefix("FEDCTL")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	if err := v.BindPFlags(flags); err != nil {
		return fmt.Errorf("reading the flags: %w", err)
	}
	path := v.GetString("config")
	if path == "" {
		return nil
	}
	v.SetConfigFile(path)
	v.SetConfigType("yaml") // whatever the file is called; JSON is YAML
	if err := v.ReadInConfig(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("--config: the file %s does not exist", path)
		}
		return fmt.Errorf("--config %s: %w", path, err)
	}
	for key := range v.AllSettings() {
		if flags.Lookup(key) == nil {
			return fmt.Errorf("--config %s: there is no setting %q", path, key)
		}
	}
	return nil
}

// Final returns the configuration after the KubeFedConfig, nil if there is
// none, has replaced the defaults of what it sets.
func Final(v *viper.Viper, kubefed *fedcorev1beta1.KubeFedConfig) (*Config, error) {
	if kubefed != nil {
		if err := applyKubeFedConfig(v, kubefed); err != nil {
			return nil, err
		}
	}
	c := &Config{}
	if err := v.Unmarshal(c); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return c, c.validate()
}

func (c *Config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.KubeFedNamespace != "", "kubefed-namespace must not be empty")
	check(slices.Contains([]string{ModeHost, ModeMember}, c.Mode), "mode is %q: it must be host or member", c.Mode)
	check(slices.Contains([]string{"Cluster", "Namespaced"}, c.Scope), "scope is %q: it must be Cluster or Namespaced", c.Scope)
	check(slices.Contains([]string{"json", "text"}, c.LogFormat), "log-format is %q: it must be json or text", c.LogFormat)
	check(slices.Contains([]string{RecordInStatus, RecordPropagatedVersion}, c.VersionRecords), "version-records is %q: it must be Status or PropagatedVersion", c.VersionRecords)
	check(c.RenewDeadline < c.LeaseDuration, "leader-elect-renew-deadline (%s) must be less than leader-elect-lease-duration (%s)", c.RenewDeadline, c.LeaseDuration)
	check(c.RetryPeriod > 0 && c.RetryPeriod < c.RenewDeadline, "leader-elect-retry-period (%s) must be more than 0 and less than leader-elect-renew-deadline (%s)", c.RetryPeriod, c.RenewDeadline)
	for name, d := range map[string]time.Duration{
		"cluster-health-check-period":  c.HealthCheckPeriod,
		"cluster-health-check-timeout": c.HealthCheckTimeout,
		"request-timeout":              c.RequestTimeout,
		"settle-timeout":               c.SettleTimeout,
		"retry-max":                    c.RetryMax,
		"unschedulable-after":          c.UnschedulableAfter,
		"backup-poll":                  c.BackupPoll,
	} {
		check(d > 0, "%s is %s: it must be more than 0", name, d)
	}
	for name, n := range map[string]int{
		"cluster-health-check-failure-threshold": c.HealthCheckFailureThreshold,
		"cluster-health-check-success-threshold": c.HealthCheckSuccessThreshold,
		"workers":                                c.Workers,
		"workers-per-cluster":                    c.WorkersPerCluster,
		"host-workers":                           c.HostWorkers,
		"backup-jobs":                            c.BackupJobs,
		"backup-jobs-per-cluster":                c.BackupClusterJobs,
	} {
		check(n > 0, "%s is %d: it must be more than 0", name, n)
	}
	check(c.UnreadyDeletionTimeout >= 0, "unready-deletion-timeout is %s: it must not be negative", c.UnreadyDeletionTimeout)
	for _, root := range c.BackupFilesystemRoots {
		check(filepath.IsAbs(root), "backup-filesystem-roots has %q: it must be an absolute path", root)
	}
	if _, err := network.Parse(c.BackupAddresses); err != nil {
		check(false, "backup-storage-addresses: %s", err)
	}
	check(c.MemberQPS >= 0 && c.MemberBurst >= 0, "member-qps and member-burst must not be negative")
	return errors.Join(errs...)
}

// TargetNamespace is the only namespace that is federated; empty means all.
func (c *Config) TargetNamespace() string {
	if c.Scope == "Namespaced" {
		return c.KubeFedNamespace
	}
	return ""
}
