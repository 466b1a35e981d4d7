package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/discord/server"
)

// Options are the flags of `control demo`.
type Options struct {
	Shards, MaxConcurrency int // of the bot
	Machines               int
	Spares                 int           // machines that serve nothing until another one dies
	Jitter                 time.Duration // highest latency to Discord, each way
	Once, RollingRestart   bool
	For                    time.Duration // 0: until ctx ends
	KillEvery, KillMachine time.Duration // 0: never
}

// demo is one run.
type demo struct {
	Options
	out io.Writer

	dir     string
	secret  messages.Secret // between MASTER and its CONTROLs
	log     zerolog.Logger
	discord *server.Server
	base    string // of Discord
	master  *daemon.Master
	running map[string]*daemon.Control // by the machine's name
	view    *view
}

// Limits of a demo; larger fleets are for `control rehearse`.
const (
	shardsMax   = 2000
	machinesMax = 50
)

// Check returns what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.Shards < 1 || o.Shards > shardsMax:
		return fmt.Errorf("--shards %d: want 1 to %d", o.Shards, shardsMax)
	case o.MaxConcurrency < 1 || o.MaxConcurrency > shardsMax:
		return fmt.Errorf("--max-concurrency %d: want 1 to %d", o.MaxConcurrency, shardsMax)
	case o.Machines < 1 || o.Machines > machinesMax:
		return fmt.Errorf("--machines %d: want 1 to %d", o.Machines, machinesMax)
	case o.Jitter < 0 || o.Jitter > time.Second:
		return fmt.Errorf("--jitter %v: want 0 to 1s", o.Jitter)
	case o.Spares < 0 || o.Spares >= o.Machines:
		return fmt.Errorf("--spares %d: want 0 to %d, less than --machines", o.Spares, o.Machines-1)
	case o.KillEvery < 0 || o.KillMachine < 0 || o.For < 0:
		return errors.New("--kill-every, --kill-machine, --for: want no negative time")
	case o.KillMachine > 0 && o.Machines < 2:
		return errors.New("--kill-machine: want at least 2 --machines, of which another takes over")
	}
	return nil
}

// Run runs a simulated Discord, MASTER, several CONTROLs and their bots on this machine, as the
// options say, and shows them on out. It fails if a shard was not READY in time, on a violation of
// Discord's limits, and if a process is left.
func Run(ctx context.Context, o Options, out io.Writer) error {
	d := &demo{Options: o, out: out}
	return d.run(ctx)
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "control-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	d.view = newView(d.out, d.Shards)
	if d.log, err = d.openLog(); err != nil {
		return err
	}
	began := time.Now()
	if err := d.start(ctx); err != nil {
		return errors.Join(err, d.stop())
	}
	up := d.awaitReady(ctx)
	d.view.done()
	if up == nil {
		d.report(time.Since(began))
		up = errors.Join(d.rollAll(ctx), d.show(ctx))
	}
	counts := d.discord.Score().Counts
	stopped := d.stop()
	return errors.Join(up, stopped, d.verdict(counts))
}

// openLog returns a log in a file, which keeps the terminal for the demo.
func (d *demo) openLog() (zerolog.Logger, error) {
	f, err := os.OpenFile(filepath.Join(d.dir, "control.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return logbook.New(&config.Config{Log: config.Log{Level: "info", Format: config.FormatJSON}}, f).Logger, err
}

// start starts Discord, MASTER and the machines.
func (d *demo) start(ctx context.Context) (err error) {
	token := messages.Secret("demo-" + rand.Text())
	d.secret = messages.Secret(rand.Text())
	d.discord = server.New(server.Config{Rules: rules.Config{Token: token.Reveal(), ShardCount: d.Shards, MaxConcurrency: d.MaxConcurrency}, Jitter: d.Jitter, EventsPerSecond: 1})
	if d.base, err = d.discord.Listen("127.0.0.1:0"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	system := daemon.NewSystem(d.log)
	d.running = map[string]*daemon.Control{}
	for i := range d.Machines {
		c, err := d.configure(i, self, token)
		if err != nil {
			return err
		}
		if d.master == nil {
			of := *c
			of.State.Dir = d.dir
			if d.master, err = daemon.StartMaster(ctx, system, &of, daemon.MasterOptions(c), d.log.With().Str("part", "master").Logger()); err != nil {
				return err
			}
		}
		c.Master.URL = "ws://" + d.master.At
		dirs, err := daemon.Claim(c)
		if err != nil {
			return err
		}
		machine, err := daemon.StartControl(system, c.Machine.Source, c, dirs, []world.Behaviour{d.view.behaviour(c.Machine.Source)}, d.log.With().Str("machine", c.Machine.Source).Logger())
		if err != nil {
			return err
		}
		d.running[c.Machine.Source] = machine
	}
	return nil
}

// configure returns the configuration of one machine.
func (d *demo) configure(i int, self string, token messages.Secret) (*config.Config, error) {
	dir := filepath.Join(d.dir, fmt.Sprintf("m%d", i+1))
	c, err := config.Load("", []string{
		"CONTROL_STATE__DIR=" + dir, "CONTROL_SOCKETS__DIR=" + filepath.Join(dir, "s"), fmt.Sprintf("CONTROL_MACHINE__SOURCE=m%d", i+1),
		"CONTROL_DISCORD__TOKEN=" + token.Reveal(), "CONTROL_DISCORD__API=" + d.base, "CONTROL_CLUSTER__ENV__DISCORD_API=" + d.base,
	}, nil)
	if err != nil {
		return nil, err
	}
	c.SetCommand([]string{self, "bot"})
	c.Admin.Listen = "127.0.0.1:0"
	c.Fleet.Listen, c.Fleet.Expect, c.Fleet.Spares, c.Master.Authorization = "127.0.0.1:0", d.Machines, d.Spares, d.secret
	return c, nil
}

// awaitReady waits until every shard is READY. It fails after the longest time that a start may
// take.
func (d *demo) awaitReady(ctx context.Context) error {
	limit := time.Minute + 2*rules.Config{MaxConcurrency: d.MaxConcurrency}.Floor(d.Shards)
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-d.view.ready:
		return nil
	case err := <-d.master.Failed:
		return err
	case <-ctx.Done():
		return errors.New("stopped before every shard was READY")
	case <-late.C:
		return fmt.Errorf("not every shard was READY within %v; the log: %s", limit, d.tailOfLog())
	}
}

// tailOfLog returns the end of the log of a demo that failed: its folder is removed next.
func (d *demo) tailOfLog() string {
	text, err := os.ReadFile(filepath.Join(d.dir, "control.log"))
	if err != nil {
		return err.Error()
	}
	return "\n" + string(text[max(0, len(text)-4<<10):])
}

// show keeps the demo running until Ctrl-C or for --for; with --once it returns at once.
func (d *demo) show(ctx context.Context) error {
	var end <-chan time.Time
	switch {
	case d.For > 0:
		end = time.After(d.For)
	case d.Once:
		return nil
	}
	var kill, die <-chan time.Time
	if d.KillMachine > 0 {
		die = time.After(d.KillMachine)
	}
	if d.KillEvery > 0 {
		ticker := time.NewTicker(d.KillEvery)
		defer ticker.Stop()
		kill = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-end:
			return d.settle(ctx)
		case <-die:
			if err := d.loseMachine(); err != nil {
				return err
			}
		case <-kill:
			if pids := d.view.pids(); len(pids) > 0 {
				pid := pids[mathrand.IntN(len(pids))]
				d.view.say("killing process %d", pid)
				d.view.processes.kill(pid)
			}
		}
	}
}

// rollAll restarts every cluster if --rolling-restart is set.
func (d *demo) rollAll(ctx context.Context) error {
	if !d.RollingRestart {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return d.view.roll(ctx)
}

// settle waits until every shard is READY again after the last kill.
func (d *demo) settle(ctx context.Context) error {
	if d.KillEvery == 0 && d.KillMachine == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if !d.view.awaitAll(ctx) {
		return errors.New("not every shard came back")
	}
	return nil
}

// stop stops everything. It fails if a process is left.
func (d *demo) stop() error {
	var errs []error
	if len(d.running) > 0 {
		d.view.say("stopping %d clusters", len(d.view.pids()))
	}
	ended := make(chan error)
	for _, c := range d.running {
		go func() { ended <- c.Stop("the demo ends") }()
	}
	for range d.running {
		errs = append(errs, <-ended)
	}
	if d.master != nil {
		errs = append(errs, d.master.Stop())
	}
	if d.discord != nil {
		errs = append(errs, d.discord.Close())
	}
	if left, all := d.view.processes.left(); len(left) > 0 {
		errs = append(errs, fmt.Errorf("processes are left: %v", left))
	} else if len(d.running) > 0 {
		d.view.say("stopped: simulated Discord, MASTER, %d CONTROL, %d cluster processes in all; none is left", len(d.running), all)
	}
	return errors.Join(errs...)
}

// verdict prints the simulated Discord's score of the whole run. It fails on a violation.
func (d *demo) verdict(c rules.Counts) error {
	if d.RollingRestart || d.For > 0 {
		fmt.Fprintf(d.out, "score at Discord in the end: %d identifies of %d shards, %d resumes, %d violations, %d duplicates, %d events lost, %d doubled\n",
			c.Identifies, d.Shards, c.Resumes, c.Violations, c.Duplicates, c.Events.Lost, c.Events.Doubled)
	}
	if d.KillMachine > 0 && d.KillEvery == 0 && c.Identifies != d.Shards {
		return fmt.Errorf("%d identifies of %d shards: a machine that dies should cost none", c.Identifies, d.Shards)
	}
	if c.Violations > 0 || c.Duplicates > 0 {
		return fmt.Errorf("the simulated Discord counted %d violations of the identify limit and %d shards with two owners", c.Violations, c.Duplicates)
	}
	return nil
}

// report prints the table of clusters, the score and commands to try.
func (d *demo) report(took time.Duration) {
	d.view.table()
	score := d.discord.Score()
	fmt.Fprintf(d.out, "\nall %d shards READY %.2f s after the start of the demo", d.Shards, took.Seconds())
	if last, ok := score.AllReady(d.Shards); ok {
		first, _ := score.FirstIdentify()
		floor := rules.Config{MaxConcurrency: d.MaxConcurrency}.Floor(d.Shards)
		fmt.Fprintf(d.out, ", %.2f s after the first IDENTIFY (Discord's floor: %.2f s)", last.Sub(first).Seconds(), floor.Seconds())
	}
	fmt.Fprintf(d.out, "\nscore at Discord: %d identifies, %d violations, %d duplicates\n", score.Identifies, score.Violations, score.Duplicates)
	if d.Once {
		return
	}
	fmt.Fprintf(d.out, "\nsimulated Discord  %s/stats\nMASTER             ws://%s\nlogs               %s\n", d.base, d.master.At, d.dir)
	if at := d.master.Page(); at != "" {
		fmt.Fprintf(d.out, "page of the fleet  http://%s/\n", at)
	}
	for _, name := range slices.Sorted(maps.Keys(d.running)) {
		if at := d.running[name].Page(); at != "" {
			fmt.Fprintf(d.out, "page of %-10s http://%s/\n", name, at)
		}
	}
	fmt.Fprintf(d.out, "\ntry: kill -9 a pid of the table, and see its cluster return\n     curl -d '{\"kind\":\"reconnect\"}' %s/faults\n", d.base)
	fmt.Fprintf(d.out, "     control clusters --state.dir=%s/m1, and status --master --state.dir=%s, or any other command\n     Ctrl-C ends it\n\n", d.dir, d.dir)
}
