package cmd

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/discluster/control/actors/events"
	"github.com/discluster/control/actors/world"
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
			d := &daemon{program: p, level: new(threshold), stopOutput: func() {}, releaseToken: func() {}, load: func() (*config.Config, error) {
				c, err := load()
				if err == nil {
					err = readyToRun(c, args)
				}
				return c, err
			}}
			d.checkArgs = append(slices.Concat([]string{"config", "check", "--run"}, setFlags(cmd.Flags()), []string{"--"}), args...)
			return d.run(cmd.Context())
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
		return usageError{err}
	}
	_, err := adminOptions(c)
	return err
}

// daemon is one run of `control run`; an upgrade begins another in the same process.
type daemon struct {
	program   *program
	load      func() (*config.Config, error) // reads the configuration again
	checkArgs []string                       // for another binary to check its configuration
	path      string                         // path of the program, for an upgrade
	config    *config.Config                 // of the start, with the changes of a SIGHUP
	level     *threshold
	log       *logbook

	control      *control
	master       *localMaster   // nil: MASTER is elsewhere
	masterAdmin  *adminListener // the embedded MASTER's socket
	failed       <-chan error   // the error that ended the embedded MASTER
	stopOutput   func()         // stops showOutput
	releaseToken func()         // releases the lock of the token
	systemd      *systemd
}

// garbage is the GOGC of CONTROL, where the operator sets none: memory is the bots', and CONTROL
// makes little garbage.
const garbage = 75

// run runs CONTROL until ctx ends, it ends by itself, or an upgrade replaces it.
func (d *daemon) run(ctx context.Context) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if d.path, err = ownPath(); err != nil {
		return err
	}
	if d.config, err = d.load(); err != nil {
		return err
	}
	d.log = newLog(d.config, d.level, os.Stderr)
	d.program.log.Store(d.log)
	if d.systemd, err = newSystemd(os.Getenv); err != nil {
		d.log.Warn().Err(err).Msg("cannot notify systemd")
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR2) // before the pid is published
	defer signal.Stop(signals)
	defer func() { d.stopOutput(); d.releaseToken() }() // start sets them
	if err := d.start(ctx); err != nil {
		return err
	}
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGHUP {
				d.reload()
				continue
			}
			if binary, err := d.successor(ctx); err != nil {
				d.refuse(err)
			} else {
				return d.replace(binary)
			}
		case <-ctx.Done():
			return d.stop()
		case err := <-d.failed:
			_ = d.control.stop("MASTER failed")
			d.stopMaster()
			return err
		case <-d.control.ended:
			d.control.admin.close()
			d.stopMaster()
			return nil
		}
	}
}

// start claims the state folder and spawns the actors, MASTER's first.
func (d *daemon) start(ctx context.Context) error {
	c := *d.config // a copy: what is set below is not part of the configuration
	dirs, err := claimDirs(&c)
	if err != nil {
		return err
	}
	if dirs.logs != "" && isTerminal(os.Stderr) {
		if d.stopOutput, err = d.showOutput(dirs.logs); err != nil {
			return err
		}
	}
	system := newSystem(d.log.Logger)
	if c.Embedded() {
		unlock, err := lockToken(&c, "CONTROL", d.log.Logger)
		if err != nil {
			return err
		}
		d.releaseToken = unlock
		embed(&c)
		o := masterOptions(&c)
		o.Alone = true
		if d.master, err = startMaster(ctx, system, o, c.State.Dir, d.log.With().Str("part", "master").Logger()); err != nil {
			return err
		}
		c.Master.URL, d.failed = "ws://"+d.master.at, d.master.failed
		own := c
		own.Admin.Listen = "" // CONTROL listens there
		if d.masterAdmin, err = openMasterAdmin(&own, d.master, d.log.Logger); err != nil {
			d.stopMaster()
			return err
		}
	}
	if d.control, err = startControl(system, "masterlink", &c, dirs, slices.Concat(d.behaviours(&c), d.program.behaviours), d.log.Logger); err != nil {
		d.stopMaster()
		return err
	}
	d.systemd.notify("READY=1")
	d.writeState(nil)
	if c.Bot.Why != "" {
		d.log.Info().Str("protocol", c.Bot.Protocol).Str("why", c.Bot.Why).Msg("cluster protocol chosen")
	}
	d.log.Info().Str("version", versionText()).Str("source", c.Machine.Source).Str("state", c.State.Dir).Strs("command", c.Cluster.Command[:1]).Msg("control runs")
	return nil
}

// stop ends CONTROL on a signal, and its bots if cluster.on_stop is drain.
func (d *daemon) stop() error {
	defer d.stopMaster()
	d.systemd.notify("STOPPING=1")
	if d.config.Cluster.OnStop == config.OnStopDetach {
		d.log.Info().Msg("stopping: bots keep serving until the next start adopts them")
		return d.control.detach("signal")
	}
	d.log.Info().Msg("stopping: draining clusters")
	return d.control.stop("signal")
}

// stopMaster ends the embedded MASTER, if there is one.
func (d *daemon) stopMaster() {
	if d.master == nil {
		return
	}
	if d.masterAdmin != nil {
		d.masterAdmin.close()
	}
	if err := d.master.stop(); err != nil {
		d.log.Warn().Err(err).Msg("embedded MASTER did not stop in time")
	}
}

// behaviours returns the behaviours that the configuration and systemd ask for.
func (d *daemon) behaviours(c *config.Config) (all []world.Behaviour) {
	if d.systemd.conn != nil {
		all = append(all, watchdogBehaviour(d.systemd, d.master))
	}
	if len(c.Hooks.Exec) > 0 {
		all = append(all, events.Hooks(events.HookOptions{Command: c.Hooks.Exec, Events: c.Hooks.Events, Timeout: c.Hooks.Timeout, Machine: c.Machine.Source}))
	}
	if c.Hooks.Webhook != "" {
		all = append(all, events.Webhook(events.WebhookOptions{URL: c.Hooks.Webhook, Events: c.Hooks.Events, Machine: c.Machine.Source}))
	}
	return all
}
