package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// asProgram has this test be the program.
const asProgram = "FEDCTL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// Whoever stops reading ends no command half-way: it ends by itself, and says nothing.
func TestOutputThatNobodyReads(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	command := exec.Command(os.Args[0], "version", "--client")
	command.Env = append(os.Environ(), asProgram+"=1")
	command.Stdout, command.Stderr = write, &said
	var ended *exec.ExitError
	if err := command.Run(); !errors.As(err, &ended) || ended.ExitCode() != cmdutil.ExitUnread || said.Len() > 0 {
		t.Errorf("%v: %s", err, said.String())
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
}
