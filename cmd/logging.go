package cmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/mattn/go-isatty"
	cmap "github.com/orcaman/concurrent-map"
	"github.com/rs/zerolog"

	"github.com/discluster/control/config"
)

// Protoactor keeps its actors in 1024 of these maps: 32 shards in each would be 2.8 MB of nothing.
func init() { cmap.SHARD_COUNT = 1 }

// threshold is the least level that is written, of a logger and of all that are derived from it; it may change while they write.
type threshold struct{ level atomic.Int32 }

// Sample implements zerolog.Sampler. It is asked before a line is made.
func (t *threshold) Sample(level zerolog.Level) bool { return level >= zerolog.Level(t.level.Load()) }

// set takes a level as config names it.
func (t *threshold) set(name string) {
	level, err := zerolog.ParseLevel(name)
	if err != nil {
		level = zerolog.InfoLevel // config has checked it
	}
	t.level.Store(int32(level))
}

// logbook is the log of a process, and the queue that its lines leave by.
type logbook struct {
	zerolog.Logger
	queue *logQueue
}

// newLog returns the log on out: JSON lines, or for people where out is a terminal. from is set to
// its level. No line shows a secret of the configuration.
//
// The loss of its reader ends no process: SIGPIPE is caught, and not ignored, for what is ignored
// stays so in bots and hooks.
func newLog(c *config.Config, from *threshold, out io.Writer) *logbook {
	secrets.Learn(c.Secrets()...)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	from.set(c.Log.Level)
	zerolog.TimeFieldFormat = time.RFC3339Nano
	format := func(out io.Writer) io.Writer { return out }
	if c.Log.Format == config.FormatConsole || c.Log.Format == config.FormatAuto && isTerminal(out) {
		format = func(out io.Writer) io.Writer { return zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000"} }
	}
	queue := newLogQueue(out, format)
	return &logbook{zerolog.New(format(queue)).Sample(from).With().Timestamp().Logger(), queue}
}

// lastWords writes to stderr before the process ends, or gives up where nobody reads it.
func lastWords(text string) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		fmt.Fprintln(os.Stderr, secrets.Text(text))
	}()
	select {
	case <-written:
	case <-time.After(logFlush):
	}
}

// logFlush is how long the end of a process waits for the reader of its log.
const logFlush = time.Second

// isTerminal reports whether a person is likely to read w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// newSystem makes the actor system. Protoactor's own lines come at warn and above, and never show what a message holds: a dead letter would print a token.
func newSystem(log zerolog.Logger) *actor.ActorSystem {
	log = log.With().Str("lib", "protoactor").Logger()
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(libraryLog{log}) }))
}

// libraryLog is a slog.Handler that shows types where slog would show values.
type libraryLog struct{ log zerolog.Logger }

func (h libraryLog) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (h libraryLog) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h libraryLog) WithGroup(string) slog.Handler                { return h }

func (h libraryLog) Handle(_ context.Context, r slog.Record) error {
	h.log.Warn().Func(func(line *zerolog.Event) {
		r.Attrs(func(a slog.Attr) bool {
			switch v := a.Value.Any().(type) {
			case string:
				line.Str("lib_"+a.Key, v)
			case error:
				line.AnErr("lib_"+a.Key, v)
			case *actor.PID:
				line.Str("lib_"+a.Key, v.GetId())
			default:
				line.Str("lib_"+a.Key, fmt.Sprintf("%T", v))
			}
			return true
		})
	}).Msg(r.Message)
	return nil
}
