package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/config"
)

// configFlags adds the flags of a configuration to a command. load reads the configuration after
// the flags were parsed, with the variables of also besides those of the environment.
func configFlags(c *cobra.Command, also ...string) (load func() (*config.Config, error)) {
	file := c.Flags().StringP("config", "c", "", "configuration file (YAML)")
	config.Flags(c.Flags())
	offer(c, "cluster.protocol", config.Protocols()...)
	offer(c, "cluster.guest", config.Guests()...)
	offer(c, "cluster.ready", "after 30s", `log "Logged in"`, "http://127.0.0.1:{9000+cluster}/")
	return func() (*config.Config, error) {
		conf, err := config.Load(*file, append(os.Environ(), also...), c.Flags())
		if err != nil {
			return nil, usageError(err)
		}
		return conf, nil
	}
}

// offer sets the shell completions of a flag's value.
func offer(c *cobra.Command, flag string, values ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag exists
	}
}

func configCommand() *cobra.Command {
	var load func() (*config.Config, error)
	var forRun bool
	check := &cobra.Command{
		Use:   "check [flags] [-- bot command]",
		Short: "Check a configuration without starting anything",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := load()
			if err == nil && forRun {
				err = readyToRun(c, args)
			}
			if err != nil {
				return err
			}
			with := "a MASTER inside"
			if !c.Embedded() {
				with = "MASTER at " + c.Master.URL
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), daemon.ConfigurationGood+": %s, state in %s, sockets in %s\n", with, c.State.Dir, c.Sockets.Dir)
			return err
		},
	}
	load = configFlags(check)
	check.Flags().BoolVar(&forRun, "run", false, "check what `control run` needs as well")
	parent := &cobra.Command{Use: "config", Short: "Work with configurations"}
	parent.AddCommand(check)
	return parent
}
