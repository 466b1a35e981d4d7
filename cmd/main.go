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
	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/cmd/logbook"
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
	parsed     bool                         // the command line was valid
	log        atomic.Pointer[logbook.Book] // a daemon's log, flushed when the program ends
}

// usageError returns an error that exits with exitUsage.
func usageError(err error) error { return daemon.UsageError{Err: err} }

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
		log.Flush()
	}
	if err == nil {
		return
	}
	logbook.PrintLast("control: " + err.Error())
	os.Exit(p.exitCode(err))
}

// exitCode returns the exit code for an error.
func (p *program) exitCode(err error) int {
	var usage daemon.UsageError
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
				log.Flush()
			} else {
				logbook.PrintLast("control: ended by a second signal")
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
	root.AddCommand(p.run(), p.master(), botCommand(), gatewayCommand(), discordCommand(), demoCommand(), rehearseCommand(), configCommand(), planCommand(), upgradeCommand(), versionCommand(), logsCommand(),
		statusCommand(), clustersCommand(), shardsCommand(), whereisCommand(), eventsCommand(), askCommand(),
		restartCommand(), stopCommand(), drainCommand(), undrainCommand(), rollingRestartCommand(), acceptMasterCommand(), resumeFleetCommand(), forgetMachineCommand(), identifyBudgetCommand(), doctorCommand())
	return root
}
