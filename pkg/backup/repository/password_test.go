package repository_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// The password is changed while somebody writes with the old one. Whatever is known of
// the two, and however often it is repeated: nobody is shut out before the old one is
// taken away, and then it opens nothing.
func TestChangePassword(t *testing.T) {
	config := inDir(t)
	meanwhile := open(t, config)
	save(t, meanwhile, "first", 20, nil)

	both := config
	both.NextPassword = "battery staple"
	r := open(t, both)
	if r.OpensWithNext() {
		t.Fatal("the next password opens what was not changed")
	}
	if err := r.ChangePassword(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := save(t, meanwhile, "second", 40, nil)
	again := open(t, both)
	if !again.OpensWithNext() {
		t.Error("the password was not changed")
	}
	if err := again.ChangePassword(t.Context()); err != nil {
		t.Error("repeated:", err)
	}
	if err := again.Verify(t.Context(), second.ID, true); err != nil {
		t.Error("what was saved meanwhile:", err)
	}
	if _, err := repository.Open(t.Context(), config, owner); repository.ReasonOf(err) != repository.WrongPassword {
		t.Errorf("the old password: %v", err)
	}
	config.Password = both.NextPassword
	if found, err := open(t, config).Snapshots(t.Context(), repository.Filter{}); err != nil || len(found) != 2 {
		t.Errorf("the new password: %v, %v", found, err)
	}
}

// Where kopia has put a blob beside the one with the key, which it encrypts with the
// same password, there is a moment at which neither password would open both.
func TestChangePasswordRefusesTwoBlobs(t *testing.T) {
	config := inDir(t)
	open(t, config)
	config.NextPassword = "battery staple"
	r := open(t, config)
	if err := os.WriteFile(filepath.Join(directory(config), "kopia.blobcfg.f"), []byte("encrypted"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.ChangePassword(t.Context()); repository.ReasonOf(err) != repository.InvalidConfiguration {
		t.Errorf("%v", err)
	}
	if err := os.Remove(filepath.Join(directory(config), "kopia.blobcfg.f")); err != nil {
		t.Fatal(err)
	}
	config.NextPassword = ""
	open(t, config)
}
