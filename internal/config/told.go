package config

import (
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Told is the configuration of a controller that runs elsewhere, as far as its Deployment
// and the KubeFedConfig tell.
type Told struct {
	*Config

	// hidden are the settings that come from where they cannot be seen; all may, where
	// there is a file, or an environment of somewhere else.
	hidden map[string]bool
	all    bool
}

// OfDeployment reads what a controller in these containers is told, with a KubeFedConfig,
// nil if there is none. Whether the controller takes it is not checked.
func OfDeployment(containers []corev1.Container, kubefed *fedcorev1beta1.KubeFedConfig) (*Told, error) {
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true // those of the log
	flags.SetOutput(io.Discard)
	t := &Told{Config: New(flags), hidden: map[string]bool{}}
	if i := max(0, slices.IndexFunc(containers, isController)); i < len(containers) {
		if err := t.read(flags, &containers[i]); err != nil {
			return nil, err
		}
	}
	if kubefed != nil {
		if err := applyKubeFedConfig(t.viper, kubefed); err != nil {
			return nil, err
		}
	}
	return t, t.fill()
}

func isController(c corev1.Container) bool { return c.Name == kubefedconfig.ControllerContainer }

// Hides says whether one of the settings may be another than is told.
func (t *Told) Hides(names ...string) bool {
	return t.all || slices.ContainsFunc(names, func(name string) bool { return t.hidden[name] })
}

// read takes the flags and the environment of a container, in the order of Load.
func (t *Told) read(flags *pflag.FlagSet, container *corev1.Container) error {
	if err := flags.Parse(t.arguments(container)); err != nil {
		return err
	}
	environment := map[string]any{}
	for i := range container.Env {
		variable := &container.Env[i]
		name, ours := strings.CutPrefix(variable.Name, envPrefix+"_")
		flag := flags.Lookup(strings.ReplaceAll(strings.ToLower(name), "_", "-"))
		switch {
		case !ours || flag == nil || flag.Changed:
		case variable.ValueFrom != nil || isReference(variable.Value):
			t.hidden[flag.Name] = true
		case variable.Value != "": // an empty one is none, as for Load
			environment[flag.Name] = variable.Value
		}
	}
	t.all = len(container.EnvFrom) > 0 || flags.Lookup("config").Value.String() != "" || t.hidden["config"]
	return t.viper.MergeConfigMap(environment)
}

// arguments are those of a container without the settings whose values refer to something:
// these are noted as hidden.
func (t *Told) arguments(container *corev1.Container) (seen []string) {
	all := slices.Concat(container.Command, container.Args)
	for i := 0; i < len(all); i++ {
		name, value, joined := strings.Cut(strings.TrimLeft(all[i], "-"), "=")
		flag := t.flags.Lookup(name)
		if flag == nil || !strings.HasPrefix(all[i], "-") {
			seen = append(seen, all[i])
			continue
		}
		apart := !joined && flag.NoOptDefVal == "" && i+1 < len(all) // the value is an argument of its own
		if apart {
			value = all[i+1]
		}
		switch {
		case isReference(value):
			t.hidden[name] = true
		case apart:
			seen = append(seen, all[i], value)
		default:
			seen = append(seen, all[i])
		}
		if apart {
			i++
		}
	}
	return seen
}

// reference is how a value of a container refers to a variable.
var reference = regexp.MustCompile(`\$\([A-Za-z_.-][A-Za-z0-9_.-]*\)`)

func isReference(value string) bool { return reference.MatchString(value) }
