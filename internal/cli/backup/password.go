package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
)

// passwordOptions are the flags of change-password.
type passwordOptions struct {
	target
	File string
}

func newChangePasswordCommand(f *cmdutil.Factory) *cobra.Command {
	o := &passwordOptions{target: target{factory: f}}
	cmd := &cobra.Command{
		Use:   "change-password NAME",
		Short: "Change the password of a BackupRepository",
		Long: `Change the password that the data of a BackupRepository is encrypted with.

The new password is put into the Secret beside the old one, the executor encrypts the
repository's key with it and proves that it opens the repository, and then it takes the
old one's place. It may be interrupted at any point and repeated: the Secret holds every
password that may open the repository. Without --password-file a change that was begun
is brought to its end.

All BackupRepositories that use the Secret, or lead to the same place, change with it; of
a Secret that a FederatedSecret propagates, those in all member clusters do. Data is not
written again: whoever has copied the repository and knows the old password can still
read the copy.`,
		Example: `  # A new password, of which a copy is kept outside of the cluster
  fedctl backup repository change-password store -n shop --cluster member-1 --password-file new-password.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.changePassword(cmd.Context(), args[0]) },

		ValidArgsFunction: fedtypes.First(o.complete(&backupv1alpha1.BackupRepositoryList{})),
	}
	o.addPlaceFlags(cmd, "BackupRepository")
	flags := cmd.Flags()
	flags.StringVar(&o.File, "password-file", "", "File with the new password; \"-\" for the standard input. A line break at its end is left out.")
	flags.DurationVar(&o.Timeout, "timeout", 10*time.Minute, "How long to wait.")
	return cmd
}

// wanted is the new password; empty if none was named.
func (o *passwordOptions) wanted() (string, error) {
	if o.File == "" {
		return "", nil
	}
	var data []byte
	var err error
	if o.File == "-" {
		data, err = io.ReadAll(o.factory.In)
	} else {
		data, err = os.ReadFile(o.File)
	}
	if err != nil {
		return "", fmt.Errorf("reading the new password: %w", err)
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(data) == 0 {
		return "", fmt.Errorf("reading the new password: %s is empty", o.File)
	}
	return string(data), nil
}

func (o *passwordOptions) changePassword(ctx context.Context, name string) error {
	wanted, err := o.wanted()
	if err != nil {
		return err
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	repository, err := o.repository(ctx, c, name)
	if err != nil {
		return err
	}
	change, err := o.plan(ctx, c, repository)
	if err != nil {
		return err
	}
	lack, todo, err := change.compare(ctx, wanted)
	if err != nil {
		return err
	}
	if !todo {
		o.say("backuprepository.backup.fedctl.io/%s has this password already", name)
		return o.print(c, repository)
	}
	if err := o.checkUsers(ctx, change); err != nil {
		return err
	}
	for _, holder := range lack {
		if err := holder.begin(ctx, change.next); err != nil {
			return err
		}
	}
	o.say("the new password is in %s beside the old one", change.holderNames())
	if err := o.untilDone(ctx, change.opened); err != nil {
		return fmt.Errorf("%w; both passwords stay in %s: run the command again, without --password-file", err, change.holderNames())
	}
	for _, user := range change.users {
		o.say("backuprepository.backup.fedctl.io/%s opens with the new password", user)
	}
	for _, holder := range change.holders {
		if err := holder.end(ctx); err != nil {
			return fmt.Errorf("%w; the new password opens the repository, and %s has both: run the command again, without --password-file", err, holder)
		}
	}
	if err := o.untilDone(ctx, change.ended); err != nil {
		return fmt.Errorf("%w; the new password is in %s, from where it is propagated", err, change.holderNames())
	}
	for i := range change.users {
		change.users[i].ask(ctx) // so that no status tells of two passwords any more
	}
	o.say("the old password is gone from %s: keep a copy of the new one outside of the cluster, and give it to those who read this repository from other clusters", change.holderNames())
	if repository, err = o.repository(ctx, c, name); err != nil {
		return err
	}
	return o.print(c, repository)
}

// untilDone asks for what is missing until nothing is, and tells it whenever it has changed.
func (o *passwordOptions) untilDone(ctx context.Context, missing func(ctx context.Context) string) error {
	told := ""
	err := wait.PollUntilContextTimeout(ctx, time.Second, o.Timeout, true, func(ctx context.Context) (bool, error) {
		now := missing(ctx)
		if now != "" && now != told {
			told = now
			fmt.Fprintln(o.factory.ErrOut, now)
		}
		return now == "", nil
	})
	if wait.Interrupted(err) {
		return errors.New(strings.TrimSuffix("the change has not ended: "+told, ": "))
	}
	return err
}

// passwordChange is what changes together.
type passwordChange struct {
	holders []passwordHolder
	users   []passwordUser
	next    string
}

func (p *passwordChange) holderNames() string {
	var names []string
	for _, holder := range p.holders {
		names = append(names, holder.String())
	}
	return strings.Join(names, ", ")
}

// compare finds out where the new password is to be put beside the old one, and whether
// there is anything to do at all. Another one that a change was begun with is never
// replaced: some repository may be encrypted with that by now.
func (p *passwordChange) compare(ctx context.Context, wanted string) (lack []passwordHolder, todo bool, err error) {
	p.next = wanted
	present := map[passwordHolder]string{}
	for _, holder := range p.holders {
		has, next, err := holder.read(ctx)
		if err != nil {
			return nil, false, err
		}
		if next == "" {
			present[holder] = has
			continue
		}
		if p.next == "" {
			p.next = next
		}
		if next != p.next {
			return nil, false, fmt.Errorf("%s has another new password, with which a change was begun: bring that to its end first, by this command without --password-file", holder)
		}
	}
	if p.next == "" {
		return nil, false, errors.New("no change of the password was begun: name the new one with --password-file")
	}
	done := 0
	for _, holder := range p.holders {
		switch has, only := present[holder]; {
		case only && has == p.next:
			done++ // here it had ended
		case only:
			lack = append(lack, holder)
		}
	}
	return lack, done < len(p.holders), nil
}

// checkUsers has all BackupRepositories looked at, and returns an error if one of them
// cannot be used: its key cannot be encrypted anew, and the change would not end.
func (o *passwordOptions) checkUsers(ctx context.Context, change *passwordChange) error {
	for i := range change.users {
		if err := change.users[i].askForLook(ctx); err != nil {
			return err
		}
	}
	err := o.untilDone(ctx, change.looked)
	if err == nil {
		err = change.unusable()
	}
	if err != nil {
		return fmt.Errorf("%w; no password was written", err)
	}
	return nil
}

// looked says what the executor has not looked at yet.
func (p *passwordChange) looked(ctx context.Context) string {
	for i := range p.users {
		if why := p.users[i].waitsForLook(ctx); why != "" {
			return fmt.Sprintf("%s: %s", p.users[i], why)
		}
	}
	return ""
}

// unusable is an error that names what cannot be used.
func (p *passwordChange) unusable() error {
	for i := range p.users {
		if why := whyNotReady(p.users[i].found); why != "" {
			return fmt.Errorf("the password of BackupRepository %s cannot be changed: %s", p.users[i], why)
		}
	}
	return nil
}

// opened says what does not open with the new password yet.
func (p *passwordChange) opened(ctx context.Context) string {
	for i := range p.users {
		user := &p.users[i]
		if why := user.opensWith(ctx, p.next); why != "" {
			user.ask(ctx)
			return fmt.Sprintf("%s: %s", user, why)
		}
	}
	return ""
}

// ended says where the new password has not taken the old one's place yet.
func (p *passwordChange) ended(ctx context.Context) string {
	for i := range p.users {
		if why := p.users[i].holds(ctx, p.next); why != "" {
			return fmt.Sprintf("%s: %s", p.users[i], why)
		}
	}
	return ""
}
