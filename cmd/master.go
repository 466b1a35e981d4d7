package cmd

import (
	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/config"
)

func (p *program) master() *cobra.Command {
	var load func() (*config.Config, error)
	c := &cobra.Command{
		Use:   "master",
		Short: "Run MASTER for several machines",
		Long:  "Divide the shards of one bot over its CONTROLs. Every CONTROL needs the same master.authorization.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			return daemon.RunMaster(cmd.Context(), c, p.log.Store)
		},
	}
	load = configFlags(c)
	return c
}
