package cmd

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/server"
)

func discordCommand() *cobra.Command {
	var listen, token string
	var secure bool
	var c server.Config
	cmd := &cobra.Command{
		Use:   "discord",
		Short: "Run a simulated Discord with its limits",
		Long: "Answer REST and gateway as Discord does, enforce Discord's limits, and keep a score at /stats. POST /faults injects a fault.\n" +
			"DISCORD_API points a bot at it. A library that supports only https needs --tls, and must trust the certificate that the output names.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Rules.Token = token
			if err := errors.Join(simulable(c), c.Shape.Validate()); err != nil {
				return usageError(err)
			}
			if secure {
				path, err := certify(&c)
				if err != nil {
					return err
				}
				defer func() { _ = os.Remove(path) }()
				fmt.Fprintf(cmd.OutOrStdout(), "clients trust it by NODE_EXTRA_CA_CERTS=%[1]s or SSL_CERT_FILE=%[1]s\n", path)
			}
			s := server.New(c)
			base, err := s.Listen(listen)
			if err != nil {
				return usageError(fmt.Errorf("--listen %s: %w", listen, err))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "simulated Discord at %s (score: %s/stats)\n", base, base)
			<-cmd.Context().Done()
			return s.Close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8645", "address to listen at, host:port")
	f.StringVar(&token, "token", "x", "the bot token that is accepted; disgo reads its application's id from a token that begins with "+guilds.TokenPrefix())
	f.IntVar(&c.Rules.ShardCount, "shards", 1, "recommended number of shards")
	f.IntVar(&c.Rules.MaxConcurrency, "max-concurrency", 1, "identifies per 5 s")
	f.IntVar(&c.Rules.Guilds, "guilds", 0, "number of the bot's guilds")
	f.IntVar(&c.Shape.Members, "guild-members", 0, "members of each guild; 0: 3")
	f.IntVar(&c.Shape.Channels, "guild-channels", 0, "text channels of each guild; 0: 2")
	f.IntVar(&c.Shape.Roles, "guild-roles", 0, "roles of each guild beside @everyone; 0: 2")
	f.BoolVar(&secure, "tls", false, "serve https and wss, with a certificate made for this run; the output names its file")
	f.DurationVar(&c.Jitter, "jitter", 0, "highest latency, each way; it is random from 0")
	f.Float64Var(&c.EventsPerSecond, "events", 0, "events per second and shard")
	f.DurationVar(&c.Rules.SessionWindow, "session-window", 90*time.Second, "how long a session outlives its connection")
	return cmd
}

// simulable returns the flags whose values no Discord can have.
func simulable(c server.Config) error {
	var faults []error
	want := func(good bool, flag string, value any, rule string) {
		if !good {
			faults = append(faults, fmt.Errorf("--%s %v: want %s", flag, value, rule))
		}
	}
	want(c.Rules.ShardCount >= 1, "shards", c.Rules.ShardCount, "1 or more")
	want(c.Rules.MaxConcurrency >= 1, "max-concurrency", c.Rules.MaxConcurrency, "1 or more")
	want(c.Rules.Guilds >= 0, "guilds", c.Rules.Guilds, "0 or more")
	want(c.Jitter >= 0, "jitter", c.Jitter, "0 or more")
	want(c.EventsPerSecond >= 0, "events", c.EventsPerSecond, "0 or more")
	want(c.Rules.SessionWindow > 0, "session-window", c.Rules.SessionWindow, "more than 0")
	return errors.Join(faults...)
}

// certify makes c serve TLS. It returns the file with the certificate that clients must trust.
func certify(c *server.Config) (path string, err error) {
	if c.Certificate, err = server.NewCertificate(time.Now()); err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "control-discord-*.pem")
	if err != nil {
		return "", fmt.Errorf("write the certificate: %w", err)
	}
	_, err = f.Write(c.Certificate.PEM)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("write the certificate: %w", err)
	}
	return f.Name(), nil
}
