package cmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"github.com/discluster/control/config"
)

// newLog makes the log on out: JSON lines, or for people where out is a terminal.
func newLog(c config.Log, out io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel // config has checked it
	}
	zerolog.TimeFieldFormat = time.RFC3339Nano
	if c.Format == config.FormatConsole || c.Format == config.FormatAuto && isTerminal(out) {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000"}
	}
	return zerolog.New(zerolog.SyncWriter(out)).Level(level).With().Timestamp().Logger()
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
