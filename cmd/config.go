package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/discluster/control/config"
)

// configured gives a command the flags of a configuration, and what reads it once they are parsed. The variables of also are set beside those there are.
func configured(c *cobra.Command, also ...string) (load func() (*config.Config, error)) {
	file := c.Flags().StringP("config", "c", "", "configuration file (YAML)")
	config.Flags(c.Flags())
	return func() (*config.Config, error) {
		conf, err := config.Load(*file, append(os.Environ(), also...), c.Flags())
		if err != nil {
			return nil, usageError{err}
		}
		return conf, nil
	}
}

// configurationGood begins what `config check` says of a good one.
const configurationGood = "the configuration is good"

func configCommand() *cobra.Command {
	var load func() (*config.Config, error)
	var forRun bool
	check := &cobra.Command{
		Use:   "check [flags] [-- bot command]",
		Short: "says what is wrong with a configuration, and starts nothing",
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
			_, err = fmt.Fprintf(cmd.OutOrStdout(), configurationGood+": %s, state in %s, sockets in %s\n", with, c.State.Dir, c.Sockets.Dir)
			return err
		},
	}
	load = configured(check)
	check.Flags().BoolVar(&forRun, "run", false, "check what `control run` needs as well")
	parent := &cobra.Command{Use: "config", Short: "about configurations"}
	parent.AddCommand(check)
	return parent
}
