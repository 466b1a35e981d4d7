package cmd

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"

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
			"  DISCORD_TOKEN=... control run -- ./mybot\n\n" +
			"SIGTERM and SIGINT end it, and with it the bots, or not, as cluster.on_stop says; a second one ends it at once, and leaves the bots.\n" +
			"SIGHUP reads the configuration anew, and says what of it needs more. SIGUSR2 is what `control upgrade` sends.",
		RunE: func(cmd *cobra.Command, args []string) error {
			d := &daemon{program: p, level: new(threshold), hide: func() {}, unlock: func() {}, load: func() (*config.Config, error) {
				c, err := load()
				if err == nil {
					err = readyToRun(c, args)
				}
				return c, err
			}}
			d.checkArgs = append(slices.Concat([]string{"config", "check", "--run"}, given(cmd.Flags()), []string{"--"}), args...)
			return d.run(cmd.Context())
		},
	}
	load = configured(c)
	return c
}

// readyToRun gives c the bot's command of a command line, and says what `control run` lacks.
func readyToRun(c *config.Config, command []string) error {
	if len(command) > 0 {
		c.Cluster.Command = command
	}
	if err := c.ValidateRun(); err != nil {
		return usageError{err}
	}
	_, err := adminOptions(c)
	return err
}

// daemon is one life of `control run`.
type daemon struct {
	program   *program
	load      func() (*config.Config, error) // reads the configuration anew, from where it came
	checkArgs []string                       // what asks another control whether it could run in our place
	path      string                         // of the program, for the next life
	config    *config.Config                 // that it was started with, but for what a SIGHUP has changed
	level     *threshold
	log       *logbook

	control *control
	master  *masterIn    // nil: it is elsewhere
	seen    *adminIn     // MASTER's own socket, where it is inside
	failed  <-chan error // why it cannot go on
	hide    func()       // ends the showing of the bots' output
	unlock  func()       // lets go of the token
	systemd *systemd
}

// run runs CONTROL until ctx ends, it ends itself, or another program takes its place.
func (d *daemon) run(ctx context.Context) (err error) {
	if d.path, err = ownPath(); err != nil {
		return err
	}
	if d.config, err = d.load(); err != nil {
		return err
	}
	d.log = newLog(d.config, d.level, os.Stderr)
	d.program.log.Store(d.log)
	if d.systemd, err = newSystemd(os.Getenv); err != nil {
		d.log.Warn().Err(err).Msg("systemd cannot be told how we are")
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR2) // before anybody can know our pid
	defer signal.Stop(signals)
	defer func() { d.hide(); d.unlock() }() // start sets them
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
			_ = d.control.stop("MASTER cannot go on")
			d.stopMaster()
			return err
		case <-d.control.ended:
			d.control.admin.close()
			d.stopMaster()
			return nil
		}
	}
}

// start takes the state folder and spawns the actors, MASTER's first.
func (d *daemon) start(ctx context.Context) error {
	c := *d.config // what is put in is no setting
	at, err := claim(&c)
	if err != nil {
		return err
	}
	if at.logs != "" && isTerminal(os.Stderr) {
		if d.hide, err = d.showOutput(at.logs); err != nil {
			return err
		}
	}
	system := newSystem(d.log.Logger)
	if c.Embedded() {
		unlock, err := lockToken(&c, "CONTROL", d.log.Logger)
		if err != nil {
			return err
		}
		d.unlock = unlock
		embed(&c)
		o := masterOptions(&c)
		o.Alone = true
		if d.master, err = startMaster(ctx, system, o, c.State.Dir, d.log.With().Str("part", "master").Logger()); err != nil {
			return err
		}
		c.Master.URL, d.failed = "ws://"+d.master.at, d.master.failed
		own := c
		own.Admin.Listen = "" // that is CONTROL's
		if d.seen, err = openMasterAdmin(&own, d.master, d.log.Logger); err != nil {
			d.stopMaster()
			return err
		}
	}
	if d.control, err = startControl(system, "masterlink", &c, at, slices.Concat(d.behaviours(&c), d.program.behaviours), d.log.Logger); err != nil {
		d.stopMaster()
		return err
	}
	d.systemd.say("READY=1")
	d.note(nil)
	d.log.Info().Str("version", versionText()).Str("source", c.Machine.Source).Str("state", c.State.Dir).Strs("command", c.Cluster.Command[:1]).Msg("control runs")
	return nil
}

// stop ends CONTROL as an operator asked, and the bots as cluster.on_stop says.
func (d *daemon) stop() error {
	defer d.stopMaster()
	d.systemd.say("STOPPING=1")
	if d.config.Cluster.OnStop == config.OnStopDetach {
		d.log.Info().Msg("stopping: the bots go on, and the next start takes them back")
		return d.control.detach("signal")
	}
	d.log.Info().Msg("stopping: clusters are drained")
	return d.control.stop("signal")
}

// stopMaster ends the MASTER inside, if there is one.
func (d *daemon) stopMaster() {
	if d.master == nil {
		return
	}
	if d.seen != nil {
		d.seen.close()
	}
	if err := d.master.stop(); err != nil {
		d.log.Warn().Err(err).Msg("MASTER inside did not stop as it should")
	}
}

// behaviours are those that the configuration and systemd ask for.
func (d *daemon) behaviours(c *config.Config) (all []actors.Behaviour) {
	if d.systemd.conn != nil {
		all = append(all, pulseBehaviour(d.systemd, d.master))
	}
	if len(c.Hooks.Exec) > 0 {
		all = append(all, actors.Hooks(actors.HookOptions{Command: c.Hooks.Exec, Events: c.Hooks.Events, Timeout: c.Hooks.Timeout, Machine: c.Machine.Source}))
	}
	if c.Hooks.Webhook != "" {
		all = append(all, actors.Webhook(actors.WebhookOptions{URL: c.Hooks.Webhook, Events: c.Hooks.Events, Machine: c.Machine.Source}))
	}
	return all
}
