package router

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
)

// relief is a dispatcher that keeps the scheduled functions.
type relief struct{ waits []func() }

func (r *relief) Schedule(run func()) { r.waits = append(r.waits, run) }
func (r *relief) Throughput() int     { return batch }

// torrent is an actor that is sent one more message while it handles one, up to some number.
type torrent struct {
	actor.Mailbox
	got, most int
}

func (s *torrent) InvokeSystemMessage(any)       {}
func (s *torrent) EscalateFailure(reason, _ any) { panic(reason) }
func (s *torrent) InvokeUserMessage(any) {
	if s.got++; s.got < s.most {
		s.PostUserMessage(s.got)
	}
}

// The sender of the first message of a stream runs the mailbox for one batch; no message is lost,
// and the mailbox is lent again afterwards.
func TestLentMailboxRelieves(t *testing.T) {
	next := &relief{}
	box := newLentMailbox().(*lentMailbox)
	box.Dispatcher = next
	s := &torrent{Mailbox: box, most: 2*batch + 10}
	box.RegisterHandlers(s, nil)
	box.PostUserMessage(0)
	for i, want := range []int{batch, 2 * batch, s.most} {
		if s.got != want || len(next.waits) != min(i+1, 2) {
			t.Fatalf("turn %d: ran %d messages, and %d were asked to go on; want %d", i, s.got, len(next.waits), want)
		}
		if i < 2 {
			next.waits[i]()
		}
	}
	s.most = 0
	if box.PostUserMessage(0); s.got != 2*batch+11 {
		t.Errorf("after the stream: ran %d messages, want one more", s.got)
	}
}
