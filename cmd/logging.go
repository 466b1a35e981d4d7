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

// Protoactor keeps its actors in 1024 of these maps; 32 shards in each would take 2.8 MB.
func init() { cmap.SHARD_COUNT = 1 }

// threshold is the lowest level that a logger and all loggers derived from it write. It may change
// while they are in use.
type threshold struct{ level atomic.Int32 }

// Sample implements zerolog.Sampler. Zerolog calls it before it formats a line.
func (t *threshold) Sample(level zerolog.Level) bool { return level >= zerolog.Level(t.level.Load()) }

// set sets the level to one of the configuration's names.
func (t *threshold) set(name string) {
	level, err := zerolog.ParseLevel(name)
	if err != nil {
		level = zerolog.InfoLevel // config has validated it
	}
	t.level.Store(int32(level))
}

// logbook is the logger of a process with the queue that its lines pass through.
type logbook struct {
	zerolog.Logger
	queue *logQueue
}

// newLog returns the log on out: JSON lines, or readable ones if out is a terminal. It sets from to
// the configured level. No line shows a secret of the configuration.
//
// The process goes on if nothing reads the log: SIGPIPE is caught. It is not ignored, for bots and
// hooks would inherit that.
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

// printLast writes a line to stderr before the process ends. It gives up after logFlush.
func printLast(text string) {
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

// logFlush bounds how long a process that ends waits for the reader of its log.
const logFlush = time.Second

// isTerminal reports whether w is a terminal, which a person reads.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// newSystem returns an actor system. Protoactor's own log lines are kept from warn on and show no
// content of a message: that of a dead letter may hold a token.
func newSystem(log zerolog.Logger) *actor.ActorSystem {
	log = log.With().Str("lib", "protoactor").Logger()
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(libraryLog{log}) }))
}

// libraryLog is a slog.Handler that shows the types of values instead of the values.
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
