package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/fedctl/fedctl/internal/version"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// setUpTraces has traces sent to a collector, if one is named: by the setting, or by the
// variables that OpenTelemetry has for all programs, which also say how it is reached and
// what part of the traces is kept.
func (p *controlPlane) setUpTraces() error {
	if !tracesWanted(p.Process.TracesEndpoint) {
		return nil
	}
	if protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "grpc"); protocol != "grpc" {
		return fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: traces are sent by grpc only", protocol)
	}
	log := ctrl.Log.WithName("traces")
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(&traceErrors{log: log})
	var options []otlptracegrpc.Option
	if p.Process.TracesEndpoint != "" {
		options = append(options, otlptracegrpc.WithEndpointURL(p.Process.TracesEndpoint))
	}
	exporter, err := otlptracegrpc.New(context.Background(), options...) // connects in the background
	if err != nil {
		return err
	}
	described, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "fedctl-controller"), attribute.String("service.version", version.Get()),
		attribute.String("service.instance.id", p.identity)), resource.WithFromEnv())
	if err != nil {
		return fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described))
	p.tracer = provider.Tracer("github.com/fedctl/fedctl")
	return p.local.Add(manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil { // what is left is sent before
			log.Info("Some traces were not sent", "error", errtext.Stable(err))
		}
		return nil
	}))
}

// tracesWanted says whether anybody has named a collector.
func tracesWanted(endpoint string) bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return cmp.Or(endpoint, os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
}

// traceErrors logs why traces are not sent, when that changes: it is tried every few seconds.
type traceErrors struct {
	log logr.Logger

	mu   sync.Mutex
	said string
}

// Handle implements otel.ErrorHandler.
func (e *traceErrors) Handle(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if text := errtext.Stable(err); text != e.said {
		e.said = text
		e.log.Info("Could not send traces; trying again", "error", text)
	}
}
