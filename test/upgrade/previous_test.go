package upgrade

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// previousEnv names the commit or tag of the release to come from.
	previousEnv = "FEDCTL_PREVIOUS"
	// beforeReleases stands for the previous release while there is none: a commit of main,
	// which has the charts, backups and policies, and is no promise to anybody. It goes with
	// the first tag.
	beforeReleases = "ef8f8dae3b0929df8a772ba2dae9676ff985b7d4"
)

// git runs git in the checkout.
func git(ctx context.Context, root string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// previousCommit is the commit of the previous release. A checkout may lack it: missing
// says then what is to be done.
func previousCommit(ctx context.Context, root string) (commit, missing string) {
	name, given := os.Getenv(previousEnv), true
	if name == "" {
		given = false
		// The tag of what is being built is not the previous one.
		name, _ = git(ctx, root, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^")
	}
	if name == "" {
		name = beforeReleases
	}
	commit, err := git(ctx, root, "rev-parse", "--verify", "--quiet", name+"^{commit}")
	if err == nil {
		return commit, ""
	}
	missing = fmt.Sprintf("the history of this checkout does not have %s, of which the previous release is: git fetch --unshallow --tags, or name another one by %s", name, previousEnv)
	if given {
		missing = fmt.Sprintf("%s=%s is no commit of this checkout", previousEnv, name)
	}
	return "", missing
}

// buildPrevious builds the programs of a commit, from its files alone, and returns their folder.
func buildPrevious(ctx context.Context, root, commit, dir string) (string, error) {
	sources, programs := filepath.Join(dir, "sources"), filepath.Join(dir, "programs")
	for _, folder := range []string{sources, programs} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return "", err
		}
	}
	archive := filepath.Join(dir, "sources.tar")
	if _, err := git(ctx, root, "archive", "--format=tar", "--output", archive, commit); err != nil {
		return "", err
	}
	for _, step := range [][]string{
		{"tar", "-xf", archive, "-C", sources},
		{"go", "-C", sources, "build", "-trimpath", "-buildvcs=false", "-o", programs + string(filepath.Separator), "./cmd/fedctl", "./cmd/controller"},
	} {
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s of commit %s: %w\n%s", strings.Join(step, " "), commit, err, out)
		}
	}
	return programs, nil
}
