package sim

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
)

// Solo runs one actor alone on a host. The ear gets what it sends to others.
type Solo struct {
	*Host
	// Ear is the address of all others. Heard holds the messages to it, in order.
	Ear   *actor.PID
	Heard []Heard
	// OnHeard is called with each message to the ear; nil: never.
	OnHeard func(msg any)

	t      *testing.T
	system *actor.ActorSystem
	actor  *actor.PID
}

// Heard is one message and its time since the test began.
type Heard struct {
	At  time.Duration
	Msg any
}

// PlaySolo runs a script in a bubble, on a host without an actor. A message that an actor does not
// expect fails the test.
func PlaySolo(t *testing.T, script func(s *Solo)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := NewLoop(1)
		s := &Solo{Host: NewHost(l, NewNet(l, 0), "m1"), t: t}
		s.Log = zerolog.New(soloLog(func(line string) {
			if strings.Contains(line, "unexpected message") {
				t.Error(line)
			}
		}))
		silent := slog.New(slog.NewTextHandler(io.Discard, nil))
		s.system = actor.NewActorSystem(
			actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return silent }))
		defer time.Sleep(10 * time.Second) // protoactor's dead-letter throttle
		defer s.system.Shutdown()
		defer func() {
			for _, pid := range l.Actors() {
				s.system.ProcessRegistry.Remove(pid)
			}
		}()
		script(s)
	})
}

type soloLog func(line string)

func (l soloLog) Write(b []byte) (int, error) { l(string(b)); return len(b), nil }

// Play starts the actor, as a new run of the host's CONTROL does.
func (s *Solo) Play(props func(w *world.World, ear *actor.PID) *actor.Props) {
	s.t.Helper()
	w, prefix := s.Boot()
	spawn := func(name string, props *actor.Props) *actor.PID {
		props = props.Clone(actor.WithGuardian(&world.Resume{Log: s.Log}))
		pid, err := s.system.Root.SpawnNamed(props, prefix+name)
		if err != nil {
			s.t.Fatal(err)
		}
		return pid
	}
	s.Ear = spawn("ear", w.Spawn("ear", func() actor.Actor { return ear{s} }))
	s.actor = spawn("solo", props(w, s.Ear))
	s.Pass(0)
}

type ear struct{ s *Solo }

func (e ear) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case actor.SystemMessage, actor.AutoReceiveMessage:
	default:
		e.s.Heard = append(e.s.Heard, Heard{e.s.loop.Now(), msg})
		if e.s.OnHeard != nil {
			e.s.OnHeard(msg)
		}
	}
}

// Send sends messages to the actor and waits until nothing happens at this moment any more. The ear
// gets the answers.
func (s *Solo) Send(all ...any) {
	s.t.Helper()
	for _, msg := range all {
		s.system.Root.RequestWithCustomSender(s.actor, msg, s.Ear)
	}
	s.Pass(0)
}

// Pass lets time go by.
func (s *Solo) Pass(d time.Duration) {
	s.t.Helper()
	if err := s.loop.Run(d); err != nil {
		s.t.Fatal(err)
	}
}

// Now returns the time since the test began.
func (s *Solo) Now() time.Duration { return s.loop.Now() }

// Stop ends the actor in order.
func (s *Solo) Stop() {
	s.t.Helper()
	s.system.Root.Stop(s.actor)
	s.Pass(0)
}

// Read decodes a small JSON file of the host. It fails the test if there is none.
func (s *Solo) Read(name string, into any) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.File(name)), into); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
}

// HeardOf returns the messages of one type that the ear got, in order.
func HeardOf[T any](s *Solo) []T {
	var all []T
	for _, h := range s.Heard {
		if one, is := h.Msg.(T); is {
			all = append(all, one)
		}
	}
	return all
}

// DiskTime is more than the disk takes for one file.
const DiskTime = 20 * time.Millisecond

// Once returns a Host.Panic that makes an actor panic on the first message of a type.
func Once[T any]() func(string, any) bool {
	done := false
	return func(_ string, msg any) bool {
		_, is := msg.(T)
		first := is && !done
		done = done || is
		return first
	}
}
