package cmd

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/demo"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run everything on this machine: simulated Discord, MASTER, CONTROL, real cluster processes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Check(); err != nil {
				return usageError(err)
			}
			return demo.Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.IntVar(&o.Shards, "shards", 32, "shards of the bot")
	f.IntVar(&o.MaxConcurrency, "max-concurrency", 16, "identifies per 5 s")
	f.IntVar(&o.Machines, "machines", 1, "number of CONTROLs, each as on a machine of its own")
	f.IntVar(&o.Spares, "spares", 0, "how many of these machines serve nothing until another one dies")
	f.DurationVar(&o.Jitter, "jitter", 80*time.Millisecond, "highest latency to Discord, each way; it is random from 0")
	f.DurationVar(&o.KillEvery, "kill-every", 0, "kill a cluster process at this interval; 0: never")
	f.DurationVar(&o.KillMachine, "kill-machine", 0, "kill a machine, its CONTROL and its bots, this long after every shard is READY; 0: never")
	f.DurationVar(&o.For, "for", 0, "run for this long, then end as --once does; 0: until Ctrl-C")
	f.BoolVar(&o.RollingRestart, "rolling-restart", false, "replace every process, one at a time, when every shard is READY")
	f.BoolVar(&o.Once, "once", false, "start, print the score and stop; fail unless every shard was READY without a violation")
	return c
}
