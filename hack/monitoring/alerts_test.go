package monitoring

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	promrules "github.com/prometheus/prometheus/rules"
)

// Each alert fires in a situation of its own, and not in one that looks like it. Samples
// are a minute apart; the alerts are evaluated at each, for two hours. The clock begins at 0,
// so a timestamp of "0" is that of the first minute.
func TestAlerts(t *testing.T) {
	cases := []struct {
		alert  string
		load   string
		fires  bool
		labels string
	}{
		{"FedctlControllerDown", `leader_election_master_status{name="fedctl-controller"} 0x120`, true, ""},
		{"FedctlControllerDown", `up 1x120`, true, ""},
		{"FedctlControllerDown", `leader_election_master_status{name="fedctl-controller",pod="a"} 1x60 0x60
leader_election_master_status{name="fedctl-controller",pod="b"} 0x62 1x60`, false, ""},
		{"FedctlClusterNotReady", `fedctl_cluster_ready{cluster="paris"} 1x30 0x90`, true, "paris"},
		{"FedctlClusterNotReady", `fedctl_cluster_ready{cluster="paris"} 1x30 0x8 1x82`, false, ""},
		// A token of an hour, and one of a week, that is renewed in time, or not.
		{"FedctlCredentialsExpire", `fedctl_cluster_token_renewal_timestamp_seconds{cluster="paris"} 1800x120
fedctl_cluster_token_expiry_timestamp_seconds{cluster="paris"} 3600x120`, true, "paris"},
		{"FedctlCredentialsExpire", `fedctl_cluster_token_renewal_timestamp_seconds{cluster="paris"} 1800x31 3600x30 5400x30 7200x30
fedctl_cluster_token_expiry_timestamp_seconds{cluster="paris"} 3600x31 5400x30 7200x30 9000x30`, false, ""},
		{"FedctlCredentialsExpire", `fedctl_cluster_token_renewal_timestamp_seconds{cluster="paris"} 302400x120
fedctl_cluster_token_expiry_timestamp_seconds{cluster="paris"} 604800x120`, false, ""},
		{"FedctlChangesWait", `fedctl_oldest_waiting_change_timestamp_seconds{cluster="paris"} 600x120
fedctl_cluster_ready{cluster="paris"} 1x120`, true, "paris"},
		{"FedctlChangesWait", `fedctl_oldest_waiting_change_timestamp_seconds{cluster="paris"} 600x120
fedctl_cluster_ready{cluster="paris"} 0x120`, false, ""},
		{"FedctlChangesWait", `fedctl_oldest_waiting_change_timestamp_seconds{cluster="paris"} 0x12 _x108
fedctl_cluster_ready{cluster="paris"} 1x120`, false, ""},
		// A bookmark every minute; then one that is silent, in a member that is ready, or is not.
		{"FedctlWatchesLag", `fedctl_watch_last_news_timestamp_seconds{cluster="paris"} 0+60x30 1800x90
fedctl_cluster_ready{cluster="paris"} 1x120`, true, "paris"},
		{"FedctlWatchesLag", `fedctl_watch_last_news_timestamp_seconds{cluster="paris"} 0+60x120
fedctl_cluster_ready{cluster="paris"} 1x120`, false, ""},
		{"FedctlWatchesLag", `fedctl_watch_last_news_timestamp_seconds{cluster="paris"} 0+60x30 1800x90
fedctl_cluster_ready{cluster="paris"} 1x30 0x90`, false, ""},
		{"FedctlQueueGrows", `fedctl_items_queued{cluster=""} 0x10 500x110`, true, ""},
		{"FedctlQueueGrows", `fedctl_items_queued{cluster="paris"} 500x10 0 500x10 0 500x10 0 500x10 0 500x10 0`, false, ""},
		{"FedctlMemberWritesFail", `fedctl_member_operations_total{cluster="paris",type="configmaps",result="failure"} 0+1x120
fedctl_member_operations_total{cluster="paris",type="configmaps",result="success"} 0+1x120`, true, "paris"},
		{"FedctlMemberWritesFail", `fedctl_member_operations_total{cluster="paris",type="configmaps",result="failure"} 0+1x120
fedctl_member_operations_total{cluster="paris",type="configmaps",result="success"} 0+9x120`, false, ""},
		{"FedctlDeliverySlow", `fedctl_delivery_duration_seconds_bucket{type="configmaps",le="60"} 0+1x120
fedctl_delivery_duration_seconds_bucket{type="configmaps",le="300"} 0+2x120
fedctl_delivery_duration_seconds_bucket{type="configmaps",le="+Inf"} 0+2x120`, true, ""},
		{"FedctlDeliverySlow", `fedctl_delivery_duration_seconds_bucket{type="configmaps",le="60"} 0+99x120
fedctl_delivery_duration_seconds_bucket{type="configmaps",le="300"} 0+100x120
fedctl_delivery_duration_seconds_bucket{type="configmaps",le="+Inf"} 0+100x120`, false, ""},
		{"FedctlObjectsDegraded", `fedctl_objects_by_readiness{type="deployments.apps",reason="Degraded"} 2x120`, true, "deployments.apps"},
		{"FedctlObjectsDegraded", `fedctl_objects_by_readiness{type="deployments.apps",reason="Healthy"} 2x120`, false, ""},
		{"FedctlLeftovers", `fedctl_leftover_objects{cluster="paris"} 3x120`, true, "paris"},
		{"FedctlLeftovers", `fedctl_leftover_objects{cluster="paris"} 0x120`, false, ""},
		{"FedctlBackupLate", `fedctl_backup_objective_from_timestamp_seconds{cluster="paris",namespace="shop",backup="daily"} 0x120
fedctl_backup_objective_seconds{cluster="paris",namespace="shop",backup="daily"} 3600x120`, true, "paris"},
		{"FedctlBackupLate", `fedctl_backup_objective_from_timestamp_seconds{cluster="paris",namespace="shop",backup="daily"} 0+60x120
fedctl_backup_objective_seconds{cluster="paris",namespace="shop",backup="daily"} 3600x120`, false, ""},
		{"FedctlBackupLate", `fedctl_backup_objective_from_timestamp_seconds{cluster="paris",namespace="shop",backup="no objective"} 0x120`, false, ""},
		{"FedctlBackupFails", `fedctl_backup_failures_total{namespace="shop",backup="daily"} 0x10 1x10 3x100`, true, "shop"},
		{"FedctlBackupFails", `fedctl_backup_failures_total{namespace="shop",backup="daily"} 5x120`, false, ""},
		{"FedctlBackupExecutorBlocked", `fedctl_backup_executor_blocked{cluster="paris",reason="Forbidden"} 1x120`, true, "paris"},
		{"FedctlBackupExecutorBlocked", `fedctl_backup_executor_blocked{cluster="paris",reason="NotInstalled"} 1x120
fedctl_backup_executor_blocked{cluster="oslo",reason="Unreachable"} 1x120`, false, ""},
		{"FedctlBackupExecutorBlocked", `fedctl_backup_executor_blocked{cluster="paris",reason="Forbidden"} 1x10 _x110`, false, ""},
	}
	all := map[string]rule{}
	for _, r := range rules(t) {
		all[r.Alert] = r
	}
	proved := map[string]map[bool]bool{}
	for i, c := range cases {
		t.Run(fmt.Sprintf("%s/%d", c.alert, i), func(t *testing.T) {
			fired := firing(t, all[c.alert], c.load)
			if (len(fired) > 0) != c.fires {
				t.Errorf("fires: %v", fired)
			}
			for _, text := range fired {
				if !strings.Contains(text, c.labels) || strings.Contains(text, "<error") || strings.Contains(text, "<no value>") {
					t.Errorf("says %q", text)
				}
			}
		})
		if proved[c.alert] == nil {
			proved[c.alert] = map[bool]bool{}
		}
		proved[c.alert][c.fires] = true
	}
	for name := range all {
		if !proved[name][true] || !proved[name][false] {
			t.Errorf("%s is not proved to fire and not to", name)
		}
	}
}

// firing evaluates an alert minute by minute, and returns what it says when it fires.
func firing(t *testing.T, r rule, load string) (said []string) {
	t.Helper()
	var script strings.Builder
	script.WriteString("load 1m\n")
	for line := range strings.SplitSeq(load, "\n") {
		script.WriteString("  " + line + "\n")
	}
	storage := promqltest.LoadedStorage(t, script.String())
	t.Cleanup(func() { _ = storage.Close() })
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
	if err != nil {
		t.Fatal(err)
	}
	var hold time.Duration
	if r.For != "" {
		d, err := model.ParseDuration(r.For)
		if err != nil {
			t.Fatal(err)
		}
		hold = time.Duration(d)
	}
	alert := promrules.NewAlertingRule(r.Alert, expression, hold, 0, labels.FromMap(r.Labels), labels.FromMap(r.Annotations), labels.EmptyLabels(), "", true, promslog.NewNopLogger())
	query := promrules.EngineQueryFunc(engine, storage)
	for minute := range 120 {
		if _, err := alert.Eval(t.Context(), 0, time.Unix(int64(minute)*60, 0), query, nil, 0); err != nil {
			t.Fatal(err)
		}
		for _, active := range alert.ActiveAlerts() {
			if active.State == promrules.StateFiring {
				said = append(said, active.Annotations.Get("summary")+" "+active.Annotations.Get("description"))
			}
		}
	}
	return said
}
