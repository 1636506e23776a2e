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
	todo, err := change.begin(ctx, wanted)
	if err != nil || !todo {
		if err == nil {
			o.say("backuprepository.backup.fedctl.io/%s has this password already", name)
			return o.print(c, repository)
		}
		return err
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

// begin puts the new password beside the old one, wherever that has not been done. It
// never takes the place of another one that was begun with: some repository may be
// encrypted with that by now.
func (p *passwordChange) begin(ctx context.Context, wanted string) (todo bool, err error) {
	p.next = wanted
	present := map[passwordHolder]string{}
	var lack []passwordHolder
	for _, holder := range p.holders {
		has, next, err := holder.read(ctx)
		if err != nil {
			return false, err
		}
		present[holder] = has
		if next == "" {
			lack = append(lack, holder)
			continue
		}
		if p.next == "" {
			p.next = next
		}
		if next != p.next {
			return false, fmt.Errorf("%s has another new password, with which a change was begun: bring that to its end first, by this command without --password-file", holder)
		}
	}
	if p.next == "" {
		return false, errors.New("no change of the password was begun: name the new one with --password-file")
	}
	done := 0
	for _, holder := range lack {
		if present[holder] == p.next {
			done++ // here it had ended
			continue
		}
		if err := holder.begin(ctx, p.next); err != nil {
			return false, err
		}
	}
	return done < len(p.holders), nil
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
