package daemon

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/discluster/control/actors/events"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
)

// UsageError is an error of the flags, the configuration or the environment: nothing was started.
type UsageError struct{ Err error }

func (u UsageError) Error() string { return u.Err.Error() }

// Unwrap returns the error that u reports.
func (u UsageError) Unwrap() error { return u.Err }

// Options are what the command line of `control run` sets.
type Options struct {
	Load       func() (*config.Config, error) // reads the configuration, also again, and validates it
	CheckArgs  []string                       // arguments for another binary to check its configuration
	Behaviours []world.Behaviour              // the operator's own
	Opened     func(*logbook.Book)            // gets the log
}

// daemon is one run of `control run`; an upgrade begins another in the same process.
type daemon struct {
	Options
	path   string         // of the program that an upgrade executes
	config *config.Config // of the start, with the changes of a SIGHUP
	log    *logbook.Book

	control      *Control
	master       *Master      // nil: MASTER is elsewhere
	failed       <-chan error // the error that ended the embedded MASTER
	stopOutput   func()       // stops showing the bots' output
	releaseToken func()       // releases the lock of the token
	systemd      *machine.Systemd
}

// gcPercent is the GOGC of CONTROL unless the operator sets one: memory is for the bots, and
// CONTROL makes little garbage.
const gcPercent = 75

// Run runs CONTROL until ctx ends, it ends by itself, or an upgrade replaces it.
func Run(ctx context.Context, o Options) error {
	d := &daemon{Options: o, stopOutput: func() {}, releaseToken: func() {}}
	return d.run(ctx)
}

func (d *daemon) run(ctx context.Context) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if d.path, err = ownPath(); err != nil {
		return err
	}
	if d.config, err = d.Load(); err != nil {
		return err
	}
	d.log = logbook.New(d.config, os.Stderr)
	d.Opened(d.log)
	if d.systemd, err = machine.NewSystemd(os.Getenv); err != nil {
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
			_ = d.control.Stop("MASTER failed")
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
	dirs, err := Claim(&c)
	if err != nil {
		return err
	}
	if dirs.logs != "" && logbook.IsTerminal(os.Stderr) {
		if d.stopOutput, err = d.log.Show(dirs.logs); err != nil {
			return err
		}
	}
	system := NewSystem(d.log.Logger)
	if c.Embedded() {
		unlock, err := lockToken(&c, "CONTROL", d.log.Logger)
		if err != nil {
			return err
		}
		d.releaseToken = unlock
		embed(&c)
		o := MasterOptions(&c)
		o.Alone = true
		own := c
		own.Admin.Listen = "" // CONTROL listens there
		if d.master, err = StartMaster(ctx, system, &own, o, d.log.With().Str("part", "master").Logger()); err != nil {
			return err
		}
		c.Master.URL, d.failed = "ws://"+d.master.At, d.master.Failed
	}
	if d.control, err = StartControl(system, "masterlink", &c, dirs, slices.Concat(d.behaviours(&c), d.Behaviours), d.log.Logger); err != nil {
		d.stopMaster()
		return err
	}
	d.systemd.Notify("READY=1")
	d.writeState(nil)
	if c.Bot.Why != "" {
		d.log.Info().Str("protocol", c.Bot.Protocol).Str("why", c.Bot.Why).Msg("cluster protocol chosen")
	}
	if c.Bot.Guest != "" && c.Bot.GuestWhy != "" {
		d.log.Info().Str("guest", c.Bot.Guest).Str("why", c.Bot.GuestWhy).Msg("cluster guest chosen")
	}
	d.log.Info().Str("version", Version()).Str("source", c.Machine.Source).Str("state", c.State.Dir).Strs("command", c.Cluster.Command[:1]).Msg("control runs")
	return nil
}

// stop ends CONTROL on a signal, and its bots if cluster.on_stop is drain.
func (d *daemon) stop() error {
	defer d.stopMaster()
	d.systemd.Notify("STOPPING=1")
	if d.config.Cluster.OnStop == config.OnStopDetach {
		d.log.Info().Msg("stopping: bots keep serving until the next start adopts them")
		return d.control.Detach("signal")
	}
	d.log.Info().Msg("stopping: draining clusters")
	return d.control.Stop("signal")
}

// stopMaster ends the embedded MASTER, if there is one.
func (d *daemon) stopMaster() {
	if d.master == nil {
		return
	}
	if err := d.master.Stop(); err != nil {
		d.log.Warn().Err(err).Msg("embedded MASTER did not stop in time")
	}
}

// behaviours returns the behaviours that the configuration and systemd ask for.
func (d *daemon) behaviours(c *config.Config) (all []world.Behaviour) {
	if d.systemd.Runs() {
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

// embed makes a configuration use an embedded MASTER, on loopback and with a secret of its own.
func embed(c *config.Config) {
	c.Fleet.Listen = "127.0.0.1:0"
	c.Fleet.Expect = 1
	c.Master.Authorization = messages.Secret(rand.Text())
}
