// Package version is the command that tells versions.
package version

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/version"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Info is what the command tells.
type Info struct {
	Client     Client      `json:"client"`
	Controller *Controller `json:"controller,omitempty"`
}

// Client is the version of this program.
type Client struct {
	Version   string `json:"version"`
	Commit    string `json:"commit,omitempty"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// Controller is the version of the controller in the host cluster.
type Controller struct {
	Image string `json:"image"`
	Ready string `json:"ready"` // ready replicas of wanted ones, such as 2/2
}

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Output     cmdutil.Output
	ClientOnly bool
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Tell the versions of fedctl and of the controller",
		Args:  cobra.NoArgs,

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.Run(cmd.Context())
		},
	}
	o.Output.AddFlag(cmd, "Output format")
	cmd.Flags().BoolVar(&o.ClientOnly, "client", false, "Do not ask the host cluster.")
	return cmd
}

// Run prints the versions. A host cluster that cannot be asked is no error.
func (o *Options) Run(ctx context.Context) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	info := Info{Client: clientVersion()}
	var controllerErr error
	if !o.ClientOnly {
		info.Controller, controllerErr = o.controller(ctx)
		if controllerErr != nil && o.Output.Format != "" {
			fmt.Fprintf(o.factory.ErrOut, "warning: the controller's version is unknown: %v\n", controllerErr)
		}
	}
	if o.Output.Format != "" {
		return o.Output.Printer(o.factory).PrintDocument(info)
	}
	_, err := io.WriteString(o.factory.Out, info.text(controllerErr))
	return err
}

func (i Info) text(controllerErr error) string {
	out := fmt.Sprintf("fedctl:     %s", i.Client.Version)
	if i.Client.Commit != "" {
		out += " (" + i.Client.Commit + ")"
	}
	out += fmt.Sprintf(", %s, %s\n", i.Client.GoVersion, i.Client.Platform)
	switch {
	case i.Controller != nil:
		out += fmt.Sprintf("controller: %s, %s ready\n", i.Controller.Image, i.Controller.Ready)
	case controllerErr != nil:
		out += fmt.Sprintf("controller: unknown: %v\n", controllerErr)
	}
	return out
}

func clientVersion() Client {
	out := Client{Version: version.Get(), GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	for _, setting := range build.Settings {
		switch {
		case setting.Key == "vcs.revision":
			out.Commit = setting.Value + out.Commit
		case setting.Key == "vcs.modified" && setting.Value == "true":
			out.Commit += "+changes"
		}
	}
	return out
}

// controller asks the host for the controller's Deployment.
func (o *Options) controller(ctx context.Context) (*Controller, error) {
	config, err := o.factory.HostConfig()
	if err != nil {
		return nil, err
	}
	config.Timeout = 5 * time.Second
	host, err := client.New(config, client.Options{Scheme: cmdutil.Scheme})
	if err != nil {
		return nil, err
	}
	deployment := &appsv1.Deployment{}
	err = host.Get(ctx, client.ObjectKey{Namespace: o.factory.KubeFedNamespace, Name: kubefedconfig.Controller}, deployment)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("the host cluster has no Deployment fedctl-controller in namespace %s", o.factory.KubeFedNamespace)
	}
	if err != nil {
		return nil, err
	}
	out := &Controller{Ready: fmt.Sprintf("%d/%d", deployment.Status.ReadyReplicas, *deployment.Spec.Replicas)}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		if container.Name == kubefedconfig.ControllerContainer {
			out.Image = container.Image
		}
	}
	return out, nil
}
