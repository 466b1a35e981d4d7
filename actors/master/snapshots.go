package master

import (
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
)

// This file passes the snapshots of gateway hosts from one machine to another (PROTOCOL B1, op 12).
// MASTER keeps none of them: each part is asked for by the machine that needs it.

// snapshots holds what is under way.
type snapshots struct {
	carriers map[string]*actor.PID // machines that are linked and pass their snapshots on, by source
	asked    map[string]question   // of machines, by the id under which MASTER passed them on
	number   int                   // of the last one
}

// question is a machine's request for a part.
type question struct {
	by *actor.PID
	id string // that the machine gave it
	of *actor.PID
	at time.Time
}

const (
	// questionsMax limits the questions that are not answered: each machine has a few.
	questionsMax = 4096
	// questionFor is longer than a machine waits for the answer.
	questionFor = 10 * time.Second
)

// Messages from the machines.
type (
	// carries reports that a machine passes its snapshots on, or (gone) that its link has ended.
	carries struct {
		source  string
		machine *actor.PID
		gone    bool
	}
	// snapshotAsked and snapshotCame hold a packet of a machine.
	snapshotAsked struct {
		messages.MayBeLost
		machine *actor.PID
		packet  messages.SnapshotAsk
	}
	snapshotCame struct {
		messages.MayBeLost
		machine *actor.PID
		packet  messages.SnapshotPart
	}
)

func newSnapshots() snapshots {
	return snapshots{carriers: map[string]*actor.PID{}, asked: map[string]question{}}
}

// carry notes a machine. What was asked of one whose link has ended is answered at once.
func (s *Sessions) carry(ctx actor.Context, m carries) {
	if !m.gone {
		s.carriers[m.source] = m.machine
		return
	}
	if m.machine.Equal(s.carriers[m.source]) {
		delete(s.carriers, m.source)
	}
	for id, q := range s.asked {
		if m.machine.Equal(q.of) {
			delete(s.asked, id)
			refuse(ctx, q.by, q.id, "the link to the machine that had the shard has ended")
		}
	}
}

// askFor passes a question on to the machine that reported the session last.
func (s *Sessions) askFor(ctx actor.Context, m snapshotAsked) {
	k := s.of(m.packet.Shard)
	var of *actor.PID
	if k != nil && k.id == m.packet.SessionID {
		of = s.carriers[k.source]
	}
	now := time.Now()
	for id, q := range s.asked {
		if now.Sub(q.at) > questionFor {
			delete(s.asked, id)
		}
	}
	switch {
	case of == nil:
		refuse(ctx, m.machine, m.packet.ID, "no machine that is linked has this session")
	case of.Equal(m.machine):
		refuse(ctx, m.machine, m.packet.ID, "this machine had the shard itself")
	case len(s.asked) >= questionsMax:
		refuse(ctx, m.machine, m.packet.ID, "MASTER passes on too many snapshots at the moment")
	default:
		s.number++
		id := strconv.Itoa(s.number)
		s.asked[id] = question{m.machine, m.packet.ID, of, now}
		m.packet.ID = id
		ctx.Send(of, deliver{packet: m.packet})
	}
}

// pass passes an answer on to the machine that asked.
func (s *Sessions) pass(ctx actor.Context, m snapshotCame) {
	if q, known := s.asked[m.packet.ID]; known && m.machine.Equal(q.of) {
		delete(s.asked, m.packet.ID)
		m.packet.ID = q.id
		ctx.Send(q.by, deliver{packet: m.packet})
	}
}

// refuse answers a question with the reason why there is no part.
func refuse(ctx actor.Context, machine *actor.PID, id, why string) {
	ctx.Send(machine, deliver{packet: messages.SnapshotPart{ID: id, Error: why}})
}
