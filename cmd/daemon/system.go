package daemon

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"
	cmap "github.com/orcaman/concurrent-map"
	"github.com/rs/zerolog"
)

// Protoactor keeps its actors in 1024 of these maps; 32 shards in each would take 2.8 MB.
func init() { cmap.SHARD_COUNT = 1 }

// NewSystem returns an actor system. Protoactor's own log lines are kept from warn on and show no
// content of a message: that of a dead letter may hold a token.
func NewSystem(log zerolog.Logger) *actor.ActorSystem {
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
