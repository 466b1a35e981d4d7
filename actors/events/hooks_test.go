package events_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/events"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// stage runs one behaviour in a bubble, with a bus to get events from and a World to act on.
type stage struct {
	world  *world.World
	log    *bytes.Buffer
	system *actor.ActorSystem
	to     *actor.PID // the subscriber
	lost   int        // alerts reported as lost
}

// play runs script against the behaviour.
func play(t *testing.T, b world.Behaviour, w world.World, script func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{world: &w, log: &bytes.Buffer{}}
		s.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }))
		w.Log = zerolog.New(s.log).Level(zerolog.WarnLevel)
		w.Rand = func() float64 { return 0.5 }
		w.After = func(d time.Duration, fn func()) func() {
			timer := time.AfterFunc(d, fn)
			return func() { timer.Stop() }
		}
		events := s.system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case messages.Subscribe:
				s.to = ctx.Sender()
			case messages.AlertsLost:
				s.lost += m.Lost
				s.world.LogEvent(m)
				ctx.Send(s.to, m)
			}
		}))
		s.system.Root.Spawn(s.world.Spawn(b.Name, func() actor.Actor { return b.Actor(s.world, world.Addresses{Events: events}) }))
		synctest.Wait()
		if s.to == nil {
			t.Fatal("no subscription")
		}
		script(s)
		s.system.Root.Stop(s.to)
		s.system.Root.Stop(events)
		time.Sleep(time.Minute) // for what is still under way
		s.system.Shutdown()
		time.Sleep(2 * time.Second) // protoactor's throttles
	})
}

// send sends events, and waits until they are handled as far as possible now.
func (s *stage) send(events ...messages.Event) {
	for _, e := range events {
		s.system.Root.Send(s.to, e)
	}
	synctest.Wait()
}

// pass lets time pass.
func (s *stage) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// logged counts a text in the log.
func (s *stage) logged(text string) int { return strings.Count(s.log.String(), text) }

// died returns one of many events.
func died(n int) messages.Event {
	return messages.ClusterDied{Cluster: messages.ClusterID(n), Err: "it died"}
}

func TestHooks(t *testing.T) {
	type run struct {
		argv  string
		input string
		limit time.Duration
		done  func(error)
	}
	var runs []run
	w := world.World{Hook: func(argv []string, input []byte, limit time.Duration, done func(error)) {
		runs = append(runs, run{strings.Join(argv, " "), string(input), limit, done})
	}}
	hooks := events.Hooks(events.HookOptions{Command: []string{"notify", "-x"}, Timeout: 7 * time.Second, Machine: "blade-7"})
	play(t, hooks, w, func(s *stage) {
		s.send(messages.ClusterReady{}, died(0))
		if len(runs) != 1 || runs[0].argv != "notify -x" || runs[0].limit != 7*time.Second {
			t.Fatalf("got %v", runs)
		}
		if want := `{"event":"cluster.died","at":"2000-01-01T00:00:00.000Z","machine":"blade-7","level":"warn","cluster":0,"shards":"","cause":"","err":"it died","attempt":0,"retry_in_ms":0}` + "\n"; runs[0].input != want {
			t.Errorf("\n got %s\nwant %s", runs[0].input, want)
		}
		for n := 1; n <= 4+100+5; n++ { // one of them runs already
			s.send(died(n))
		}
		if len(runs) != 4 || s.logged("some are lost") != 1 {
			t.Fatalf("%d run at once; log %s", len(runs), s.log)
		}
		for ended := 0; ended < len(runs); { // each end makes room for another
			runs[ended].done(nil)
			ended++
			synctest.Wait()
		}
		if len(runs) != 104 || s.logged(`"lost":6`) != 1 || s.logged("some are lost") != 1 {
			t.Errorf("%d ran; log %s", len(runs), s.log)
		}
		for i, r := range runs {
			if want := fmt.Sprintf(`"cluster":%d,`, i); !strings.Contains(r.input, want) {
				t.Errorf("run %d: %s", i, r.input)
			}
		}
		s.send(died(200))
		runs[len(runs)-1].done(errors.New("exit status 3"))
		synctest.Wait()
		if len(runs) != 105 || s.logged("exit status 3") != 1 || s.lost != 7 {
			t.Errorf("a hook that fails is run once and reported: %d runs, %d lost, %s", len(runs), s.lost, s.log)
		}
		for n := range 3 { // the next is reported after ten minutes, and every one counted
			s.send(died(n))
			runs[len(runs)-1].done(errors.New("exit status 3"))
			s.pass(5 * time.Minute)
		}
		if len(runs) != 108 || s.logged("exit status 3") != 2 || s.lost != 10 {
			t.Errorf("%d runs, %d lost, log %s", len(runs), s.lost, s.log)
		}
	})
}

func TestHooksOfNamedEvents(t *testing.T) {
	runs := 0
	w := world.World{Hook: func(_ []string, _ []byte, _ time.Duration, done func(error)) { runs++; go done(nil) }}
	play(t, events.Hooks(events.HookOptions{Command: []string{"x"}, Events: []string{"cluster.ready"}}), w, func(s *stage) {
		s.send(died(0), messages.ClusterReady{}, messages.ClusterGaveUp{})
		if runs != 1 {
			t.Errorf("%d runs", runs)
		}
	})
}
