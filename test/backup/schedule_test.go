package backup

import (
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/executor"
)

var _ = Describe("Schedules", func() {
	var (
		c  client.Client
		ns string
	)
	eachInHost(&c, &ns)

	daily := func(s *v1alpha1.BackupSpec) {
		s.Schedule, s.Objective = "@daily", &v1alpha1.Objective{MaxAge: metav1.Duration{Duration: 26 * time.Hour}}
	}

	It("runs on the minute, saves, and says so", func(ctx SpecContext) {
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.Schedule = "* * * * *" })
		execute(nil, ns)
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		var run v1alpha1.BackupRun
		Eventually(ctx, func(g Gomega) {
			runs := runsIn(ctx, c, ns)
			g.Expect(runs).NotTo(BeEmpty())
			run = runs[0]
			g.Expect(run.Status.Phase).To(Equal(v1alpha1.RunSucceeded), "%s: %s", run.Status.Reason, run.Status.Message)
		}).WithTimeout(3 * time.Minute).Should(Succeed())
		Expect(run.Spec.ScheduledFor.Second()).To(BeZero())
		Expect(run.Name).To(Equal(executor.RunName(b.Name, run.Spec.ScheduledFor.Time)))
		Expect(run.Status.Totals.Objects).To(BeNumerically(">=", 2))
		Eventually(ctx, func(g Gomega) {
			status := current(ctx, c, b).Status
			g.Expect(status.LastSuccess).NotTo(BeNil())
			g.Expect(status.NextRun).NotTo(BeNil())
			g.Expect(status.NextRun.Time).To(BeTemporally("~", time.Now(), time.Minute+time.Second))
		}).Should(Succeed())
		Expect(snapshots(ctx, ns)).To(ContainElement(And(HaveField("Run", run.Name), HaveField("ID", run.Status.SnapshotID))))
	}, SpecTimeout(10*time.Minute))

	It("is followed although a clock was ahead", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, daily)
		clock := stopped(b.CreationTimestamp.Time)
		stop := execute(clock, ns)
		clock.Step(24 * time.Hour)
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunSucceeded) }).Should(HaveLen(1))
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionTrue, "Recent")
		stop()

		By("a minute in another year")
		Eventually(ctx, func() error {
			fresh := current(ctx, c, b)
			fresh.Status.LastTick = ptr.To(metav1.NewTime(clock.Now().AddDate(10, 0, 0)))
			fresh.Status.LastSuccess.Time = fresh.Status.LastTick
			return c.Status().Update(ctx, fresh)
		}).Should(Succeed())
		clock.Step(27 * time.Hour)
		stop = execute(clock, ns)
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunSucceeded) }).Should(HaveLen(2))
		Eventually(ctx, func() time.Time { return current(ctx, c, b).Status.LastTick.Time }).Should(BeTemporally("<=", clock.Now()))
		Eventually(ctx, func() time.Time { return current(ctx, c, b).Status.LastSuccess.Time.Time }).Should(BeTemporally("<=", clock.Now()))
		stop()
	}, SpecTimeout(8*time.Minute))

	It("makes up for a month of downtime with one run", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, daily)
		clock := stopped(b.CreationTimestamp.Time)
		stop := execute(clock, ns)
		for day := range 3 {
			clock.Step(24 * time.Hour)
			Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunSucceeded) }).Should(HaveLen(day+1), "a run each day")
		}
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionTrue, "Recent")
		stop()
		clock.Step(31 * 24 * time.Hour)
		Expect(os.Rename(pathOf(ns), pathOf(ns)+"-aside")).To(Succeed())
		execute(clock, ns, often)
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionFalse, "TooOld")
		Eventually(ctx, func() []v1alpha1.BackupRun { return runsIn(ctx, c, ns) }).Should(HaveLen(4), "one stands for all")
		Expect(os.Rename(pathOf(ns)+"-aside", pathOf(ns))).To(Succeed())
		Eventually(ctx, func() []string {
			clock.Step(time.Second) // a run that is tried again waits by the clock
			return inPhase(runsIn(ctx, c, ns), v1alpha1.RunSucceeded)
		}).Should(HaveLen(4))
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionTrue, "Recent")
		Consistently(ctx, func() []v1alpha1.BackupRun { return runsIn(ctx, c, ns) }).Should(HaveLen(4))
		newest := current(ctx, c, b).Status
		Expect(newest.LastTick.Time).To(BeTemporally(">", clock.Now().Add(-24*time.Hour)), "the last tick stands for all")
		Expect(snapshots(ctx, ns)).To(HaveLen(4))
	}, SpecTimeout(10*time.Minute))

	It("counts what it does not make up for", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Schedule, s.MissedRuns = "@daily", &v1alpha1.MissedRuns{Policy: "Skip"}
		})
		clock := stopped(b.CreationTimestamp.Time.Truncate(24 * time.Hour).Add(24*time.Hour + time.Hour + 5*24*time.Hour))
		execute(clock, ns)
		Eventually(ctx, func() int32 { return current(ctx, c, b).Status.Missed }).Should(Equal(int32(6)))
		Expect(runsIn(ctx, c, ns)).To(BeEmpty())
		clock.Step(23 * time.Hour)
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunSucceeded) }).Should(HaveLen(1), "on time")
		Eventually(ctx, func() int32 { return current(ctx, c, b).Status.Missed }).Should(BeZero(), "counted since the last good run")
	}, SpecTimeout(10*time.Minute))

	It("does nothing in a month of suspension, and nothing late afterwards", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, daily)
		clock := stopped(b.CreationTimestamp.Time)
		execute(clock, ns)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionTrue, "Recent")
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.Suspend = true })
		expectCondition(ctx, c, b, v1alpha1.ConditionScheduled, metav1.ConditionFalse, "Suspended")
		clock.Step(31 * 24 * time.Hour)
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionFalse, "TooOld")
		Eventually(ctx, func(g Gomega) {
			tick := current(ctx, c, b).Status.LastTick
			g.Expect(tick).NotTo(BeNil())
			g.Expect(tick.Time).To(BeTemporally(">", clock.Now().Add(-24*time.Hour)), "times pass")
		}).Should(Succeed())
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.Suspend = false })
		expectCondition(ctx, c, b, v1alpha1.ConditionScheduled, metav1.ConditionTrue, "Scheduled")
		Consistently(ctx, func() []v1alpha1.BackupRun { return runsIn(ctx, c, ns) }).Should(HaveLen(1))
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionFalse, "TooOld")
		clock.Step(24 * time.Hour)
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunSucceeded) }).Should(HaveLen(2))
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionTrue, "Recent")
	}, SpecTimeout(10*time.Minute))

	It("does nothing late when it goes on after a suspension that nobody saw", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.Schedule, s.Suspend = "@daily", true })
		clock := stopped(b.CreationTimestamp.Time)
		stop := execute(clock, ns)
		expectCondition(ctx, c, b, v1alpha1.ConditionScheduled, metav1.ConditionFalse, "Suspended")
		stop()
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.Suspend = false })
		clock.Step(31 * 24 * time.Hour)
		execute(clock, ns)
		expectCondition(ctx, c, b, v1alpha1.ConditionScheduled, metav1.ConditionTrue, "Scheduled")
		Consistently(ctx, func() []v1alpha1.BackupRun { return runsIn(ctx, c, ns) }).Should(BeEmpty())
		Expect(current(ctx, c, b).Status.Missed).To(BeZero())
		clock.Step(24 * time.Hour)
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunSucceeded) }).Should(HaveLen(1))
	}, SpecTimeout(10*time.Minute))

	It("does not run at once what a new schedule would have run before", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.Schedule = "@yearly" })
		clock := stopped(b.CreationTimestamp.Time)
		execute(clock, ns)
		expectCondition(ctx, c, b, v1alpha1.ConditionScheduled, metav1.ConditionTrue, "Scheduled")
		clock.Step(30 * time.Hour)
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.Schedule = "@daily" })
		Eventually(ctx, func() string { return current(ctx, c, b).Status.ObservedSchedule }).Should(Equal("UTC @daily"))
		Consistently(ctx, func() []v1alpha1.BackupRun { return runsIn(ctx, c, ns) }).Should(BeEmpty())
	}, SpecTimeout(10*time.Minute))

	It("tells by time alone that the objective is missed", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Objective = &v1alpha1.Objective{MaxAge: metav1.Duration{Duration: 26 * time.Hour}}
		})
		clock := stopped(b.CreationTimestamp.Time)
		execute(clock, ns)
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionUnknown, "NoRunYet")
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionTrue, "Recent")
		clock.Step(26 * time.Hour)
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionFalse, "TooOld")
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectCondition(ctx, c, b, v1alpha1.ConditionWithinObjective, metav1.ConditionTrue, "Recent")
	}, SpecTimeout(10*time.Minute))

	It("keeps what retention says, in the repository and among the runs", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Schedule, s.Retention = "@daily", &v1alpha1.Retention{Last: ptr.To[int32](2), MinGood: ptr.To[int32](2)}
		})
		clock := stopped(b.CreationTimestamp.Time)
		execute(clock, ns)
		for range 4 {
			clock.Step(24 * time.Hour)
			name := executor.RunName(b.Name, clock.Now().UTC().Truncate(24*time.Hour))
			run := &v1alpha1.BackupRun{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
			expectPhase(ctx, c, run, v1alpha1.RunSucceeded)
		}
		Eventually(ctx, func() []v1alpha1.BackupRun { return runsIn(ctx, c, ns) }).Should(HaveLen(2))
		kept := snapshots(ctx, ns)
		Expect(kept).To(HaveLen(2))
		for _, run := range runsIn(ctx, c, ns) {
			Expect([]string{kept[0].ID, kept[1].ID}).To(ContainElement(run.Status.SnapshotID))
		}
	}, SpecTimeout(10*time.Minute))

	It("says what is wrong with a schedule", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.Schedule = "0 0 30 2 *" })
		execute(nil, ns)
		Expect(expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "InvalidSchedule")).To(ContainSubstring("no such day"))
		expectCondition(ctx, c, b, v1alpha1.ConditionScheduled, metav1.ConditionFalse, "InvalidSchedule")
	}, SpecTimeout(5*time.Minute))
})
