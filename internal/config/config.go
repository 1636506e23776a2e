// Package config reads the controller's configuration, whose settings are in
// pkg/settings. A setting comes from, in this order: a flag, the environment (FEDCTL_
// and the flag's name in capitals with underscores), the file named by --config (the
// flags' names as keys), the KubeFedConfig (the file named by --kubefed-config, else
// the object "kubefed" in the KubeFed namespace), the default.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/settings"
)

// envPrefix begins the names of variables that are settings.
const envPrefix = "FEDCTL"

// Config is the controller's configuration.
type Config struct {
	settings.ControlPlane
	Election    settings.Election
	Process     settings.Process
	Members     settings.Members
	Types       settings.Types
	Propagation settings.Propagation
	Replicas    settings.Replicas
	Backups     settings.Backups
	FleetAPI    settings.FleetAPI

	flags *pflag.FlagSet
	viper *viper.Viper
}

// New adds a flag for every setting to flags. What they are given is known after
// Load, and final after Finish. Without Load there is neither environment nor file.
func New(flags *pflag.FlagSet) *Config {
	c := &Config{flags: pflag.NewFlagSet("", pflag.ContinueOnError), viper: viper.New()}
	c.flags.String("config", "", "File with settings, YAML or JSON; its keys are the names of these flags.")
	for _, group := range c.groups() {
		group.AddFlags(c.flags)
	}
	flags.AddFlagSet(c.flags)
	return c
}

func (c *Config) groups() []settings.Group {
	return []settings.Group{
		&c.ControlPlane, &c.Election, &c.Process, &c.Members, &c.Types, &c.Propagation, &c.Replicas, &c.Backups, &c.FleetAPI,
	}
}

// Load reads the environment and the file of --config, when the flags have been parsed.
func (c *Config) Load() error {
	c.viper.SetEnvPrefix(envPrefix)
	c.viper.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	c.viper.AutomaticEnv()
	if err := c.viper.BindPFlags(c.flags); err != nil {
		return fmt.Errorf("reading the flags: %w", err)
	}
	if path := c.viper.GetString("config"); path != "" {
		if err := c.readFile(path); err != nil {
			return err
		}
	}
	return c.fill()
}

func (c *Config) readFile(path string) error {
	c.viper.SetConfigFile(path)
	c.viper.SetConfigType("yaml") // whatever the file is called; JSON is YAML
	if err := c.viper.ReadInConfig(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("--config: the file %s does not exist", path)
		}
		return fmt.Errorf("--config %s: %w", path, err)
	}
	for key := range c.viper.AllSettings() {
		if c.flags.Lookup(key) == nil {
			return fmt.Errorf("--config %s: there is no setting %q", path, key)
		}
	}
	return nil
}

// Finish has a KubeFedConfig, nil if there is none, replace the defaults of what it
// sets, and checks the outcome.
func (c *Config) Finish(kubefed *fedcorev1beta1.KubeFedConfig) error {
	if kubefed != nil {
		if err := applyKubeFedConfig(c.viper, kubefed); err != nil {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
	var errs []error
	for _, group := range c.groups() {
		errs = append(errs, group.Validate())
	}
	return errors.Join(errs...)
}

// fill gives every setting, through the flag that is bound to it, the value that wins.
func (c *Config) fill() error {
	var errs []error
	c.flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed || !c.viper.IsSet(flag.Name) {
			return // what the flag says wins, and the setting has it
		}
		if err := set(flag.Value, c.viper.Get(flag.Name)); err != nil {
			errs = append(errs, fmt.Errorf("reading the configuration: %s: %w", flag.Name, err))
		}
	})
	return errors.Join(errs...)
}

// set gives a flag a value as the environment, a file or an object has it.
func set(to pflag.Value, value any) error {
	list, isList := to.(pflag.SliceValue)
	switch value := value.(type) {
	case []string:
		if isList {
			return list.Replace(value)
		}
	case []any:
		if isList {
			texts := make([]string, len(value))
			for i := range value {
				texts[i] = fmt.Sprint(value[i])
			}
			return list.Replace(texts)
		}
	case string:
		if isList {
			return list.Replace(strings.FieldsFunc(value, func(r rune) bool { return r == ',' }))
		}
	}
	return to.Set(fmt.Sprint(value))
}

// Values are all settings by name, for the log. None of them is a secret, unless
// somebody has put a password into an address.
func (c *Config) Values() map[string]string {
	values := map[string]string{}
	c.flags.VisitAll(func(flag *pflag.Flag) {
		value := flag.Value.String()
		if address, err := url.Parse(value); err == nil && address.User != nil {
			value = address.Redacted()
		}
		values[flag.Name] = value
	})
	return values
}
