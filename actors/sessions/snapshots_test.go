package sessions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// shelf is the snapshots of a machine, as a story has them.
type shelf struct {
	file    []string // parts of each snapshot
	writes  []string
	failure error
}

func (h *shelf) open(s *sim.Solo) {
	s.Play(func(w *world.World, ear *actor.PID) *actor.Props {
		w.Snapshots = &world.Snapshots{
			Read: func(cluster messages.ClusterID, shard int, offset int64, done func([]byte, int64, error)) {
				w.After(time.Millisecond, func() {
					next := offset + 1
					if int(next) == len(h.file) {
						next = 0
					}
					done([]byte(h.file[offset]), next, h.failure)
				})
			},
			Write: func(cluster messages.ClusterID, shard int, offset int64, part []byte, last bool, done func(error)) {
				h.writes = append(h.writes, fmt.Sprintf("%v/%d@%d %s %v", cluster, shard, offset, part, last))
				w.After(time.Millisecond, func() { done(h.failure) })
			},
		}
		return New(w, world.Addresses{MasterLink: ear, Events: ear})
	})
}

// brought are sessions a, b, … of the shards from 0 on, which another machine had.
func brought(shards int) messages.SessionsBrought {
	m := messages.SessionsBrought{Cluster: 3}
	for shard := range shards {
		m.Sessions = append(m.Sessions, messages.Session{Shard: shard, ShardCount: shards, SessionID: string(rune('a' + shard)), Seq: 1})
	}
	return m
}

// wantedOf asks for the sessions of cluster 3.
func wantedOf(shards int) messages.SessionsWanted {
	return messages.SessionsWanted{Cluster: 3, Shards: messages.ShardRange{Last: shards - 1}, ShardCount: shards}
}

var linked = messages.ReportSessions{On: true, Snapshots: true}

// A cluster is offered its sessions once every snapshot has been copied, or cannot be.
func TestTransfers(t *testing.T) {
	// answered answers each question with the next of two parts.
	answered := func(s *sim.Solo, h *shelf) {
		for n := 0; ; n++ {
			asks := sim.HeardOf[messages.SnapshotAsk](s)
			if n == len(asks) {
				return
			}
			ask := asks[n]
			s.Send(messages.SnapshotPart{ID: ask.ID, Data: []byte(ask.SessionID), Next: 1 - ask.Offset})
			s.Pass(2 * time.Millisecond)
		}
	}
	both := []string{"3/0@0 a false", "3/0@1 a true"}
	for name, c := range map[string]struct {
		shards int
		story  func(s *sim.Solo, h *shelf)
		within time.Duration // in which the sessions are offered; 0: at once
		writes []string
	}{
		"two parts":           {1, answered, 0, both},
		"more than at once":   {6, answered, 0, nil},
		"the machine refuses": {1, func(s *sim.Solo, _ *shelf) { s.Send(messages.SnapshotPart{ID: "1", Error: "it is served here"}) }, 0, nil},
		"no answer":           {1, func(*sim.Solo, *shelf) {}, partMax, nil},
		"no answer to many":   {6, func(*sim.Solo, *shelf) {}, 2 * partMax, nil},
		"the link ends":       {6, func(s *sim.Solo, _ *shelf) { s.Send(messages.ReportSessions{}) }, 0, nil},
		"no disk":             {1, func(s *sim.Solo, h *shelf) { h.failure = errors.New("full"); answered(s, h) }, 0, both[:1]},
		"parts without end": {1, func(s *sim.Solo, _ *shelf) {
			for part := range int64(40) {
				s.Pass(time.Second)
				s.Send(messages.SnapshotPart{ID: fmt.Sprint(part + 1), Next: part + 1})
			}
		}, 0, nil},
		"a part that leads back":  {1, func(s *sim.Solo, _ *shelf) { s.Send(messages.SnapshotPart{ID: "1", Next: -1}) }, 0, nil},
		"a snapshot that is huge": {1, func(s *sim.Solo, _ *shelf) { s.Send(messages.SnapshotPart{ID: "1", Next: snapshotMax + 1}) }, 0, nil},
		"the answer of another":   {1, func(s *sim.Solo, _ *shelf) { s.Send(messages.SnapshotPart{ID: "7"}, messages.SnapshotPart{}) }, partMax, nil},
		"the answer, to a panic": {1, func(s *sim.Solo, h *shelf) {
			s.Panic = sim.Once[messages.SnapshotPart]()
			answered(s, h)
			s.Pass(2 * time.Second)
		}, partMax, nil},
		"the disk's, to a panic": {1, func(s *sim.Solo, h *shelf) {
			s.Panic = sim.Once[partWritten]()
			answered(s, h)
			s.Pass(2 * time.Second)
		}, 0, both[:1]},
		"the machine dies between": {1, func(s *sim.Solo, _ *shelf) {
			s.Send(messages.SnapshotPart{ID: "1", Next: 1})
			s.Pass(2 * time.Millisecond)
			s.Send(messages.SnapshotPart{ID: "2", Error: "gone"})
		}, 0, []string{"3/0@0  false"}},
	} {
		t.Run(name, func(t *testing.T) {
			sim.PlaySolo(t, func(s *sim.Solo) {
				h := &shelf{}
				h.open(s)
				s.Send(linked, brought(c.shards), wantedOf(c.shards))
				if asks := len(sim.HeardOf[messages.SnapshotAsk](s)); asks != min(c.shards, transfersAtOnce) {
					t.Errorf("%d questions at once", asks)
				}
				if len(sim.HeardOf[messages.SessionsOffered](s)) > 0 {
					t.Error("sessions are offered without their snapshots")
				}
				c.story(s, h)
				s.Pass(c.within + 2*time.Millisecond)
				offers := sim.HeardOf[messages.SessionsOffered](s)
				if len(offers) != 1 || len(offers[0].Sessions) != c.shards {
					t.Errorf("offered %v", offers)
				}
				if c.writes != nil && !slices.Equal(h.writes, c.writes) {
					t.Errorf("written %q, want %q", h.writes, c.writes)
				}
			})
		})
	}
}

// Where no snapshots are passed on, sessions are offered at once.
func TestNoTransfers(t *testing.T) {
	for name, open := range map[string]func(*sim.Solo){
		"the bots have no hosts":         func(s *sim.Solo) { book(s); s.Send(linked) },
		"MASTER does not pass them on":   func(s *sim.Solo) { (&shelf{}).open(s); s.Send(messages.ReportSessions{On: true}) },
		"MASTER is gone":                 func(s *sim.Solo) { (&shelf{}).open(s); s.Send(linked, messages.ReportSessions{}) },
		"a panic lost what MASTER takes": func(s *sim.Solo) { (&shelf{}).open(s); s.Send(linked, world.Recovered{}) },
	} {
		sim.PlaySolo(t, func(s *sim.Solo) {
			open(s)
			s.Send(brought(1), wantedOf(1))
			if offers := sim.HeardOf[messages.SessionsOffered](s); len(offers) != 1 || len(sim.HeardOf[messages.SnapshotAsk](s)) > 0 {
				t.Errorf("%s: offered %v", name, offers)
			}
		})
	}
}

// Another machine gets the parts of a snapshot that nothing here uses any more.
func TestSnapshotAsked(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		h := &shelf{file: []string{"one", "two"}}
		h.open(s)
		answer := func(asks ...any) (all []string) {
			s.Heard = nil
			s.Send(asks...)
			s.Pass(2 * time.Millisecond)
			for _, p := range sim.HeardOf[messages.SnapshotPart](s) {
				all = append(all, strings.TrimSpace(fmt.Sprintf("%s: %s %d %s", p.ID, p.Data, p.Next, p.Error)))
			}
			return all
		}
		expect := func(got []string, want ...string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		first, second := messages.SnapshotAsk{ID: "x", SessionID: "a"}, messages.SnapshotAsk{ID: "y", SessionID: "a", Offset: 1}
		expect(answer(first), "x:  0 the session of shard 0 is not known here")
		s.Send(session("a", 1))
		expect(answer(first), "x:  0 shard 0 is served here")
		s.Send(messages.SessionsOrphaned{})
		expect(answer(first, second), "x: one 1", "y: two 0")
		expect(answer(messages.SnapshotAsk{ID: "z", SessionID: "b"}), "z:  0 the session of shard 0 is not known here")
		many := make([]any, readsAtOnce+1)
		for i := range many {
			many[i] = first
		}
		got := answer(many...)
		if len(got) != readsAtOnce+1 || got[0] != "x:  0 16 parts are being read already" {
			t.Errorf("of %d at once: %q", len(many), got)
		}
		h.failure = errors.New("the file is gone")
		expect(answer(first), "x:  0 the file is gone")
	})
	sim.PlaySolo(t, func(s *sim.Solo) {
		book(s)
		s.Send(session("a", 1), messages.SessionsOrphaned{}, messages.SnapshotAsk{ID: "x", SessionID: "a"})
		if got := sim.HeardOf[messages.SnapshotPart](s); len(got) != 1 || got[0].Error != "the bots of this machine have no gateway hosts" {
			t.Errorf("without hosts: %v", got)
		}
	})
}
