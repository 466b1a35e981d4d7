package cmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
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

// newLog makes the log on out: JSON lines, or for people where out is a terminal. from is set to its level.
func newLog(c config.Log, from *threshold, out io.Writer) zerolog.Logger {
	from.set(c.Level)
	zerolog.TimeFieldFormat = time.RFC3339Nano
	if c.Format == config.FormatConsole || c.Format == config.FormatAuto && isTerminal(out) {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000"}
	}
	return zerolog.New(zerolog.SyncWriter(out)).Sample(from).With().Timestamp().Logger()
}

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
