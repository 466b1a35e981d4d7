package cmd

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/transport/discord/server"
)

func discordCommand() *cobra.Command {
	var listen, token string
	var c server.Config
	cmd := &cobra.Command{
		Use:   "discord",
		Short: "runs a simulated Discord, with its limits",
		Long: "discord answers REST and gateway as Discord does, holds every bot to its limits, and keeps a score at /stats. POST /faults makes things go wrong.\n" +
			"Point a bot at it by DISCORD_API.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Rules.Token = token
			s := server.New(c)
			base, err := s.Listen(listen)
			if err != nil {
				return usageError{fmt.Errorf("--listen %s: %w", listen, err)}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "simulated Discord at %s (score: %s/stats)\n", base, base)
			<-cmd.Context().Done()
			return s.Close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8645", "where to listen, host:port")
	f.StringVar(&token, "token", "x", "the bot token that is accepted")
	f.IntVar(&c.Rules.ShardCount, "shards", 1, "recommended number of shards")
	f.IntVar(&c.Rules.MaxConcurrency, "max-concurrency", 1, "identifies per 5 s")
	f.IntVar(&c.Rules.Guilds, "guilds", 0, "guilds the bot is in")
	f.DurationVar(&c.Jitter, "jitter", 0, "latency of 0 to this, each way")
	f.Float64Var(&c.EventsPerSecond, "events", 0, "events per second and shard")
	f.DurationVar(&c.Rules.SessionWindow, "session-window", 90*time.Second, "how long a session outlives its connection")
	return cmd
}
