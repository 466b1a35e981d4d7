// Package cmd is the command line: one file a command, flags and wiring. What is decided is decided in actors.
//
//	run.go      CONTROL, with a MASTER inside where no other is named
//	master.go   MASTER alone
//	bot.go      the reference cluster process
//	discord.go  the simulated Discord alone
//	demo.go     all of them on this machine, to look at
//	rehearse.go all of them in simulated time, with faults
//	config.go   what a configuration says
//	logs.go     what the bots wrote
//	version.go  what this binary is
//	status.go, clusters.go, whereis.go, events.go  how a running CONTROL stands
//	orders.go   what a running CONTROL is to do, and fleet_orders.go a MASTER
//	client.go   how both reach it
//	budget.go   identifies that are left
//	doctor.go, doctor_checks.go  what is wrong on this machine
//	daemon.go   what run, master and demo have in common
//	admin.go, master_admin.go  how a CONTROL and a MASTER are reached
//	mailboxes.go, links.go     what /metrics has of them
//	world.go    the machine's own World
//	logging.go, logqueue.go    where lines go
//	keep.go     where the bots' lines go
//	systemd.go  what runs us, and pulse.go what tells it that we live
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

	"github.com/discluster/control/actors"
	"github.com/discluster/control/transport/proc"
)

// Exit codes, beside 0.
const (
	exitFailed      = 1 // the command did not do what was asked
	exitUsage       = 2 // flags, configuration or environment are wrong; nothing was started
	exitUnreachable = 3 // no CONTROL, or MASTER, answers
)

// hurry is when, after the first signal, a second one ends the program at once. Sooner it is an echo: timeout(1) signals us, and then our group.
const hurry = time.Second

// Option changes what Main runs.
type Option func(*program)

// With adds behaviours to CONTROL: actors of the operator's own.
func With(behaviours ...actors.Behaviour) Option {
	return func(p *program) { p.behaviours = append(p.behaviours, behaviours...) }
}

// program is what all commands have in common.
type program struct {
	behaviours []actors.Behaviour
	began      bool                    // the command line was understood
	log        atomic.Pointer[logbook] // of a daemon, for its last words
}

// usageError is an error that exits with exitUsage.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// Main runs the command that the command line names, and ends the program.
func Main(options ...Option) {
	p := &program{}
	for _, o := range options {
		o(p)
	}
	if os.Getpid() == 1 { // of a container without an init: its orphans are ours
		proc.ReapOrphans(context.Background())
	}
	err := p.root().ExecuteContext(p.untilSignal())
	if log := p.log.Load(); log != nil {
		log.queue.flush(logFlush)
	}
	if err == nil {
		return
	}
	lastWords("control: " + err.Error())
	os.Exit(p.exitCode(err))
}

// exitCode is what an error ends the program with.
func (p *program) exitCode(err error) int {
	var usage usageError
	var unreachable unreachableError
	switch {
	case errors.As(err, &usage) || !p.began:
		return exitUsage
	case errors.As(err, &unreachable):
		return exitUnreachable
	}
	return exitFailed
}

// untilSignal gives a context that the first SIGINT or SIGTERM ends. A second one ends the program at once, as kill -9 would.
func (p *program) untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		first := time.Now()
		for s := range signals {
			if time.Since(first) < hurry {
				continue
			}
			if log := p.log.Load(); log != nil {
				log.Warn().Str("signal", s.String()).Msg("stopped at once: bots that still run go on, and the next start takes them back")
				log.queue.flush(logFlush)
			} else {
				lastWords("control: ended at once, by a second signal")
			}
			os.Exit(exitFailed)
		}
	}()
	return ctx
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "control",
		Short: "runs a large Discord bot",
		Long: "CONTROL runs one machine's share of a large Discord bot as cluster processes; MASTER divides the shards over the machines.\n\n" +
			"Exit codes: 0 done; 1 failed; 2 flags, configuration or environment are wrong, and nothing was started; 3 no CONTROL, or MASTER, answers.",
		SilenceErrors: true,
		SilenceUsage:  true,

		PersistentPreRun: func(*cobra.Command, []string) { p.began = true },
	}
	root.AddCommand(p.run(), p.master(), botCommand(), discordCommand(), p.demo(), rehearseCommand(), configCommand(), planCommand(), upgradeCommand(), versionCommand(), logsCommand(),
		statusCommand(), clustersCommand(), shardsCommand(), whereisCommand(), eventsCommand(),
		restartCommand(), stopCommand(), drainCommand(), undrainCommand(), rollingRestartCommand(), acceptMasterCommand(), resumeFleetCommand(), forgetMachineCommand(), identifyBudgetCommand(), doctorCommand())
	return root
}
