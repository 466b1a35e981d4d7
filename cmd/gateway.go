package cmd

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/gateway"
	"github.com/discluster/control/transport/guest"
)

// gatewayCommand is hidden: CONTROL starts it in place of a bot that does not use the SDK.
func gatewayCommand() *cobra.Command {
	var o gateway.Options
	c := &cobra.Command{
		Use:    "gateway -- command …",
		Short:  "Run a bot behind a gateway of its own as a cluster process of CONTROL",
		Long:   "Keep Discord's sessions of a cluster, and run its bot, unmodified, as a child that connects to them.",
		Args:   cobra.MinimumNArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return gateway.Run(cmd.Context(), o, args, os.Stderr)
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "gateway", "folder for sessions and guilds, one below it for each cluster")
	c.Flags().StringVar(&o.API, "api", "https://discord.com", "Discord's REST API; DISCORD_API overrides it")
	c.Flags().DurationVar(&o.Patience, "hello-timeout", 30*time.Second, "time until a bot that has never connected is reported")
	c.Flags().IntVar(&o.Memory, "memory", 0, "bytes of guilds and waiting events; 0: 32 MiB a shard")
	c.Flags().StringVar(&o.Guest, "guest", string(guest.None), "manager whose guest the bot is: discordjs, hybrid or none")
	return c
}
