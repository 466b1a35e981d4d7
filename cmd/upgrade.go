package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/config"
)

func upgradeCommand() *cobra.Command {
	var load func() (*config.Config, error)
	var pid int
	c := &cobra.Command{
		Use:   "upgrade",
		Short: "Upgrade a running CONTROL in place; bots keep serving",
		Long: "Replace the CONTROL of a state folder (state.dir of the configuration) by the installed program, in the same process, and wait until that runs.\n" +
			"It adopts the running bots, so that no shard identifies, and reads the configuration again. If the program or the configuration is broken, nothing changes.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := machine.FolderOf(pid)
			if pid == 0 {
				var conf *config.Config
				if conf, err = load(); err == nil {
					dir = conf.State.Dir
				}
			}
			if err != nil {
				return err
			}
			result, err := daemon.Upgrade(cmd.Context(), dir)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), result)
			return err
		},
	}
	load = configFlags(c)
	c.Flags().IntVar(&pid, "pid", 0, "upgrade the CONTROL with this pid instead of a state folder's (Linux only)")
	return c
}
