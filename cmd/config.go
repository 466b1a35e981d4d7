package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/discluster/control/config"
)

func configCommand() *cobra.Command {
	var file string
	check := &cobra.Command{
		Use:   "check",
		Short: "says what is wrong with a configuration, and starts nothing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(file, os.Environ(), cmd.Flags())
			if err != nil {
				return usageError{err}
			}
			with := "a MASTER inside"
			if !c.Embedded() {
				with = "MASTER at " + c.Master.URL
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the configuration is good: %s, state in %s, sockets in %s\n", with, c.State.Dir, c.Sockets.Dir)
			return err
		},
	}
	check.Flags().StringVarP(&file, "config", "c", "", "configuration file (YAML)")
	config.Flags(check.Flags())
	parent := &cobra.Command{Use: "config", Short: "about configurations"}
	parent.AddCommand(check)
	return parent
}
