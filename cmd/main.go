// Package cmd is the command line: one file a command, with flags and wiring. Decisions are in
// actors.
//
// Commands that run something:
//
//	run.go, successor.go, reload.go     CONTROL, with an embedded MASTER unless master.url is set
//	master.go                           MASTER
//	bot.go, bot_reference.go            the reference cluster process
//	gateway.go, gateway_bot.go          a bot behind a gateway host, as a cluster process
//	gateway_silence.go, tied.go         a bot that does not connect to it; a child that ends with its parent
//	discord.go                          the simulated Discord
//	demo.go, demo_machine.go, demo_processes.go, view.go   all of them on this machine
//	rehearse.go                         all of them in simulated time, with faults
//
// Commands that ask or order:
//
//	client.go                           the connection to a running CONTROL or MASTER
//	status.go, clusters.go, whereis.go, events.go, budget.go
//	orders.go, fleet_orders.go          orders to CONTROL and to MASTER
//	upgrade.go                          the upgrade of a running CONTROL
//	config.go, plan.go, doctor.go, doctor_checks.go, logs.go, version.go
//
// Parts of the daemons:
//
//	daemon.go                           CONTROL and MASTER as run, master and demo start them
//	world.go, folder.go, grep.go, hook.go   the World of this machine
//	admin.go, master_admin.go           the admin API of CONTROL and of MASTER
//	mailboxes.go, links.go              figures for /metrics
//	logging.go, logqueue.go, keep.go    the log, and the limits of the bots' output
//	systemd.go, watchdog.go             notifications to systemd
//	pressure.go                         whether the machine is short of CPU time
//	tokenlock.go                        the lock that a bot's token has on a machine
//
// A main with more behaviours is five lines: see With.
package cmd

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/transport/proc"
)

// Exit codes besides 0.
const (
	exitFailed      = 1 // the command failed
	exitUsage       = 2 // flags, configuration or environment are wrong; nothing was started
	exitUnreachable = 3 // no CONTROL or MASTER answers
)

// echoWindow is the time after the first signal in which further ones are ignored: timeout(1)
// signals a process, then its group. A later one ends the program at once.
const echoWindow = time.Second

// Option changes what Main runs.
type Option func(*program)

// With adds behaviours to CONTROL, which are actors of the operator's own.
func With(behaviours ...world.Behaviour) Option {
	return func(p *program) { p.behaviours = append(p.behaviours, behaviours...) }
}

// program holds what all commands share.
type program struct {
	behaviours []world.Behaviour
	parsed     bool                    // the command line was valid
	log        atomic.Pointer[logbook] // a daemon's log, flushed when the program ends
}

// usageError is an error that exits with exitUsage.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// Main runs the command that the command line names. It ends the program if the command fails.
func Main(options ...Option) {
	p := &program{}
	for _, o := range options {
		o(p)
	}
	if os.Getpid() == 1 { // in a container without an init, which would reap orphans
		proc.ReapOrphans(context.Background())
	}
	err := p.root().ExecuteContext(p.untilSignal())
	if log := p.log.Load(); log != nil {
		log.queue.flush(logFlush)
	}
	if err == nil {
		return
	}
	printLast("control: " + err.Error())
	os.Exit(p.exitCode(err))
}

// exitCode returns the exit code for an error.
func (p *program) exitCode(err error) int {
	var usage usageError
	var unreachable unreachableError
	switch {
	case errors.As(err, &usage) || !p.parsed:
		return exitUsage
	case errors.As(err, &unreachable):
		return exitUnreachable
	}
	return exitFailed
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. A second signal ends the
// program at once, as kill -9 does.
func (p *program) untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		first := time.Now()
		for s := range signals {
			if time.Since(first) < echoWindow {
				continue
			}
			if log := p.log.Load(); log != nil {
				log.Warn().Str("signal", s.String()).Msg("stopped at once: running bots keep serving until the next start adopts them")
				log.queue.flush(logFlush)
			} else {
				printLast("control: ended by a second signal")
			}
			os.Exit(exitFailed)
		}
	}()
	return ctx
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "control",
		Short: "Run a large Discord bot",
		Long: "CONTROL runs one machine's share of a large Discord bot as cluster processes; MASTER divides the shards over the machines.\n\n" +
			"Exit codes: 0 done; 1 failed; 2 flags, configuration or environment are wrong, and nothing was started; 3 no CONTROL or MASTER answers.",
		SilenceErrors: true,
		SilenceUsage:  true,

		PersistentPreRun: func(*cobra.Command, []string) { p.parsed = true },
	}
	root.AddCommand(p.run(), p.master(), botCommand(), gatewayCommand(), discordCommand(), p.demo(), rehearseCommand(), configCommand(), planCommand(), upgradeCommand(), versionCommand(), logsCommand(),
		statusCommand(), clustersCommand(), shardsCommand(), whereisCommand(), eventsCommand(),
		restartCommand(), stopCommand(), drainCommand(), undrainCommand(), rollingRestartCommand(), acceptMasterCommand(), resumeFleetCommand(), forgetMachineCommand(), identifyBudgetCommand(), doctorCommand())
	return root
}
