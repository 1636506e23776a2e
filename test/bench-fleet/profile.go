package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// profileSeconds is how long a profile takes, whatever is measured meanwhile.
const profileSeconds = 10

// profiled begins a profile of the server, if one is asked for, and returns how to wait for it.
func (b *bench) profiled(ctx context.Context) (wait func() error) {
	if b.profile == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() { done <- b.writeProfile(ctx) }()
	return func() error { return <-done }
}

func (b *bench) writeProfile(ctx context.Context) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", b.profiling, profileSeconds), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the profile of the server: %s", response.Status)
	}
	file, err := os.Create(b.profile)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}
