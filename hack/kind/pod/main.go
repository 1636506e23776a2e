//go:build unix

// Command pod is what runs in the pods of specs on kind clusters, in an image that
// holds nothing else. Without arguments it waits, as the pause image of Kubernetes does,
// whose place it takes. Otherwise:
//
//	pod serve ADDRESS       tells at /env?name=… and /file?path=… what the pod was given
//	pod append FILE TEXT    adds a line to a file, as init containers and hooks do
//	pod fail TEXT [AFTER]   says so and ends with an error, after a duration
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pod:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		wait()
		return nil
	case args[0] == "serve" && len(args) == 2:
		return serve(args[1])
	case args[0] == "append" && len(args) == 3:
		return appendLine(args[1], args[2])
	case args[0] == "fail" && len(args) == 2:
		return errors.New(args[1])
	case args[0] == "fail" && len(args) == 3:
		return failAfter(args[2], args[1])
	}
	return fmt.Errorf("usage: pod [serve ADDRESS | append FILE TEXT | fail TEXT [AFTER]], not %q", args)
}

// wait returns when the process is to end. It holds the pod's namespaces, and collects
// the processes that have lost their parents.
func wait() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		select {
		case <-stop:
			return
		case <-children:
			collect()
		}
	}
}

func collect() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}

func serve(address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = fmt.Fprint(w, os.Getenv(r.URL.Query().Get("name"))) //nolint:gosec // plain text, for specs; who asks sees that nothing came
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		content, err := os.ReadFile(r.URL.Query().Get("path")) //nolint:gosec // any file of a pod that holds nothing
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(content) //nolint:gosec // as above
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-stop
		_ = server.Close() // it ends with the process
	}()
	fmt.Println("serving at", address)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func failAfter(duration, text string) error {
	after, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	time.Sleep(after)
	return errors.New(text)
}

func appendLine(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // other containers of the pod read it
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, text)
	return errors.Join(err, file.Close())
}
