package world

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Every timer fires, also one whose cancel came too late. Only the Timeout that was set last
// arrives, and none of a state that was left.
func TestStatesDropOldTimeouts(t *testing.T) {
	set := func(s *States, ctx actor.Context) { s.In(ctx, time.Second) }
	for name, tc := range map[string]struct {
		then func(s *States, ctx actor.Context) // behind the end of a first timer, before its Timeout
		want int
	}{
		"nothing":      {func(*States, actor.Context) {}, 1},
		"set again":    {set, 1},
		"left":         {func(s *States, _ actor.Context) { s.Leave() }, 0},
		"state left":   {func(s *States, _ actor.Context) { s.Enter("second", s.Behavior[0]) }, 0},
		"left and set": {func(s *States, ctx actor.Context) { s.Leave(); set(s, ctx) }, 1},
		"set and left": {func(s *States, ctx actor.Context) { set(s, ctx); s.Leave() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var timers []func()
			heard := 0
			s := &States{}
			state := func(ctx actor.Context) {
				switch m := ctx.Message().(type) {
				case Timeout:
					heard++
				case func(*States, actor.Context):
					m(s, ctx)
					ctx.Respond("done")
				}
			}
			w := &World{After: func(_ time.Duration, fn func()) func() {
				timers = append(timers, fn)
				return func() {}
			}}
			s.Begin(w, w.Log, "first", state)
			system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }))
			pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return s }))
			for _, do := range []func(*States, actor.Context){set, tc.then} {
				if _, err := system.Root.RequestFuture(pid, do, time.Minute).Result(); err != nil {
					t.Fatal(err)
				}
			}
			for _, fire := range timers {
				fire()
			}
			if err := system.Root.PoisonFuture(pid).Wait(); err != nil {
				t.Fatal(err)
			}
			if heard != tc.want {
				t.Errorf("%d timeouts were heard, want %d", heard, tc.want)
			}
		})
	}
}
