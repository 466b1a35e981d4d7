package cmd

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/config"
)

func (p *program) run() *cobra.Command {
	var load func() (*config.Config, error)
	c := &cobra.Command{
		Use:   "run [flags] [-- bot command]",
		Short: "Run this machine's clusters",
		Long: "Keep a link to MASTER and run the clusters that it assigns. Without master.url, embed a MASTER that asks Discord itself:\n" +
			"  DISCORD_TOKEN=... control run -- ./mybot\n\n" +
			"SIGTERM and SIGINT stop CONTROL; cluster.on_stop decides whether its bots stop too. A second signal ends it at once and leaves the bots.\n" +
			"SIGHUP reads the configuration again and logs the settings that need an upgrade. `control upgrade` sends SIGUSR2.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return daemon.Run(cmd.Context(), daemon.Options{
				Load: func() (*config.Config, error) {
					c, err := load()
					if err == nil {
						err = readyToRun(c, args)
					}
					return c, err
				},
				CheckArgs:  slices.Concat([]string{"config", "check", "--run"}, setFlags(cmd.Flags()), []string{"--"}, args),
				Behaviours: p.behaviours,
				Opened:     p.log.Store,
			})
		},
	}
	load = configFlags(c)
	return c
}

// readyToRun sets the bot's command from the command line and validates c for `control run`.
func readyToRun(c *config.Config, command []string) error {
	if len(command) > 0 {
		c.SetCommand(command)
	}
	if err := c.ValidateRun(); err != nil {
		return usageError(err)
	}
	_, err := daemon.AdminOptions(c)
	return err
}

// setFlags returns the flags that were set, as arguments.
func setFlags(flags *pflag.FlagSet) (args []string) {
	flags.Visit(func(f *pflag.Flag) { args = append(args, "--"+f.Name+"="+f.Value.String()) })
	return args
}
