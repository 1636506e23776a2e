package capture

import (
	"errors"
	"testing"
)

func TestErrorsOfCommandsAreWithoutArguments(t *testing.T) {
	command := []string{"mysqldump", "-c", "--password=hunter 2", "hunter2"}
	cause := errors.New(`Post "https://m/exec?command=mysqldump&command=-c&command=--password%3Dhunter+2": cmd wait: mysqldump -c --password=hunter 2 hunter2: exit status 3`)
	got := withoutArguments(cause, command)
	if want := `Post "https://m/exec?command=mysqldump&command=-c&command=…": cmd wait: mysqldump -c … …: exit status 3`; got.Error() != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(got, cause) {
		t.Error("the cause is lost")
	}
	if got := withoutArguments(cause, nil).Error(); got != cause.Error() {
		t.Errorf("without a command: %q", got)
	}
}
