package schedule

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"

	"github.com/go-logr/logr/funcr"
)

func TestFailuresTellChangesOnly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	f := &failures{log: funcr.New(func(_, args string) { got = append(got, args) }, funcr.Options{LogTimestamp: false})}
	refused := func(port int) error {
		return &net.OpError{Op: "dial", Source: &net.TCPAddr{Port: port}, Err: syscall.ECONNREFUSED}
	}
	f.listed(ctx, nil)
	f.watched(ctx, nil)
	f.listed(ctx, refused(1))
	f.listed(ctx, refused(2))
	f.listed(ctx, nil)
	f.watched(ctx, refused(3))
	f.listed(ctx, errors.New("forbidden"))
	f.listed(ctx, nil)
	f.watched(ctx, nil)
	f.watched(ctx, nil)
	cancel()
	f.listed(ctx, errors.New("ended"))
	want := []string{
		`"level"=0 "msg"="Could not watch; trying again" "error"="dial: connection refused"`,
		`"level"=0 "msg"="Could not watch; trying again" "error"="forbidden"`,
		`"level"=0 "msg"="The watch works again"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
