package cmd

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/daemon"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "control %s %s/%s %s\n", daemon.Version(), runtime.GOOS, runtime.GOARCH, runtime.Version())
			return err
		},
	}
}
