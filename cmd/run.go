package cmd

import (
	"context"
	"os"
	"slices"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/config"
)

func (p *program) run() *cobra.Command {
	var load func() (*config.Config, error)
	c := &cobra.Command{
		Use:   "run [flags] [-- bot command]",
		Short: "runs this machine's clusters",
		Long: "run keeps the link to MASTER and runs the clusters it is given. Without master.url it has a MASTER inside, which asks Discord itself:\n" +
			"  DISCORD_TOKEN=... control run -- ./mybot",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				c.Cluster.Command = args
			}
			if err := c.ValidateRun(); err != nil {
				return usageError{err}
			}
			return p.runDaemon(cmd.Context(), c, newLog(c.Log, os.Stderr))
		},
	}
	load = configured(c)
	return c
}

// runDaemon runs CONTROL until ctx ends or it ends itself.
func (p *program) runDaemon(ctx context.Context, c *config.Config, log zerolog.Logger) error {
	at, err := claim(c)
	if err != nil {
		return err
	}
	system := newSystem(log)
	var failed <-chan error
	if c.Embedded() {
		embed(c)
		m, err := startMaster(ctx, system, masterOptions(c), c.State.Dir, log.With().Str("part", "master").Logger())
		if err != nil {
			return err
		}
		defer func() { _ = m.stop() }()
		c.Master.URL, failed = "ws://"+m.at, m.failed
	}
	daemon, err := startControl(system, "masterlink", c, at, slices.Concat(hookBehaviours(c), p.behaviours), log)
	if err != nil {
		return err
	}
	log.Info().Str("version", versionText()).Str("source", c.Machine.Source).Str("state", c.State.Dir).Strs("command", c.Cluster.Command[:1]).Msg("control runs")
	select {
	case <-ctx.Done():
		log.Info().Msg("stopping: clusters are drained")
		return daemon.stop("signal")
	case err := <-failed:
		_ = daemon.stop("MASTER cannot go on")
		return err
	case <-daemon.ended:
		return nil
	}
}

// hookBehaviours are those that the configuration asks for.
func hookBehaviours(c *config.Config) (all []actors.Behaviour) {
	if len(c.Hooks.Exec) > 0 {
		all = append(all, actors.Hooks(actors.HookOptions{Command: c.Hooks.Exec, Events: c.Hooks.Events, Timeout: c.Hooks.Timeout, Machine: c.Machine.Source}))
	}
	if c.Hooks.Webhook != "" {
		all = append(all, actors.Webhook(actors.WebhookOptions{URL: c.Hooks.Webhook, Events: c.Hooks.Events, Machine: c.Machine.Source}))
	}
	return all
}
