package ipc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/discluster/control/messages"
)

// Parcel is an operation on its way between clusters (PROTOCOL A4, B2): the frame as it came, and
// what routing has to know of it. What bots say to each other in it is neither decoded nor changed;
// a hop writes its own event_id over the one that is there, and no more.
type Parcel struct {
	Op     messages.IPCOp
	T      string // "" but in dispatches and errors
	Answer bool   // to a request

	Targets   []int // as they are addressed: ByShard says by what
	ByShard   bool  // Discord shards; else clusters
	CacheOp   int   // of a request for a cache operation
	Serialize int   // how its answers become one; -1: each for itself
	Success   bool  // of the answer to a cache operation, and of what was asked of Discord's REST API
	TimeoutMS messages.Milliseconds
	Until     messages.UnixMillis // of an emergency

	// Wrong is why a request cannot be obeyed, though it can be answered.
	Wrong error

	frame  []byte
	found  glance
	inline [8]int // room for Targets
}

// Limits of what is addressed and asked.
const (
	targetsMax = 100_000 // ten times the shards of the largest bot there is: upstream's "all" is a list of them
	eventMax   = 100     // bytes of an event_id: a snowflake has 39 (PROTOCOL A5)
	timeoutMax = 5 * 60 * 1000
)

// Read makes p of a frame of a cluster process, which it copies into the room that it has from one before. One that has a message of its own is no Parcel: false, nil. An error is a frame that nobody could be
// answered about.
func (p *Parcel) Read(frame []byte) (bool, error) {
	room := p.frame[:0]
	if cap(room) > pieceSize {
		room = nil
	}
	*p = Parcel{frame: append(room, frame...), Serialize: -1}
	g := &p.found
	if err := look(frame, g); err != nil {
		return false, &FrameError{NotJSON, err}
	}
	op, number := whole(g.op.of(frame))
	t, text := plainText(g.t.of(frame))
	switch {
	case string(g.kind.of(frame)) != `"`+messageType+`"`:
		return false, &FrameError{Foreign, fmt.Errorf("type %.40q: want %q", g.kind.of(frame), messageType)}
	case !number:
		return false, &FrameError{Malformed, fmt.Errorf("op %.40q: want a whole number", g.op.of(frame))}
	case !text:
		return false, &FrameError{Malformed, fmt.Errorf("t %.40q: want a plain text", g.t.of(frame))}
	}
	k := kindOf(messages.IPCOp(op), t)
	if _, own := instanceKinds[k]; own || !carried(k.op) {
		return false, nil
	}
	p.Op, p.T = k.op, k.t
	if err := p.read(); err != nil {
		return false, &FrameError{Malformed, fmt.Errorf("%s: %w", name(p.Op, p.T), err)}
	}
	return true, nil
}

// carried reports whether operations have this opcode.
func carried(op messages.IPCOp) bool {
	return op == messages.IPCDispatch || op == messages.IPCCacheOperate || op == messages.IPCError || op == messages.IPCEmergency
}

// read understands the fields of its kind. Its error says why nobody could be answered.
func (p *Parcel) read() error {
	if !p.found.d.there() || p.frame[p.found.d.from] != '{' {
		return errors.New("d: want an object")
	}
	f := &p.found.fields
	switch {
	case p.Op == messages.IPCEmergency:
		until, ok := whole(p.field(fieldBlockUntil))
		if !ok {
			return fmt.Errorf("block_until %.40q: want a whole number", p.field(fieldBlockUntil))
		}
		p.Until = messages.UnixMillis(until)
		return nil
	case p.Op == messages.IPCDispatch && p.T == messages.TRestLimitsSync:
		p.Success = string(p.field(fieldSuccess)) == "true"
		return nil
	case len(p.Event()) == 0 || len(p.Event()) > eventMax:
		return fmt.Errorf("event_id %.40q: want a text of 1 to %d bytes", p.field(fieldEvent), eventMax)
	}
	switch p.Op {
	case messages.IPCCacheOperate:
		p.Answer = !f[fieldOp].there()
		p.Success = string(p.field(fieldSuccess)) == "true"
	case messages.IPCError:
		p.Answer = true
	default:
		switch p.T {
		case messages.TBroadcastEval:
			p.Answer = !f[fieldScript].there()
		case messages.TRequest:
			p.Answer = !f[fieldName].there()
		case messages.TGuildMembers:
			p.Answer = f[fieldMembers].there()
		case messages.TRestructuring:
			p.Answer = true // to what CONTROL does not ask
		case messages.TMessage, messages.TPresenceUpdate:
		default:
			return errors.New("not known here")
		}
	}
	if !p.Answer {
		p.Wrong = p.address()
	}
	return nil
}

// address reads where a request goes to, and how it wants its answers.
func (p *Parcel) address() (err error) {
	list := fieldShards
	switch {
	case p.Op == messages.IPCCacheOperate:
		p.ByShard = true
		var ok bool
		if p.CacheOp, ok = whole(p.field(fieldOp)); !ok {
			return fmt.Errorf("op %.40q: want a whole number", p.field(fieldOp))
		}
		if raw := p.field(fieldSerialize); len(raw) > 0 {
			if p.Serialize, ok = whole(raw); !ok || p.Serialize < 0 || p.Serialize > serializeMost {
				return fmt.Errorf("serialize %.40q: want 0 to %d", raw, serializeMost)
			}
		}
	case p.T == messages.TPresenceUpdate:
		p.ByShard = true
	case p.T == messages.TGuildMembers:
		p.ByShard = true
		shard, ok := whole(p.field(fieldShard))
		if !ok {
			return fmt.Errorf("shard_id %.40q: want a whole number", p.field(fieldShard))
		}
		p.Targets = append(p.inline[:0], shard)
	case p.found.fields[fieldShardIDs].there(): // of ours: a cluster that is known by its shards
		list, p.ByShard = fieldShardIDs, true
	}
	if p.T != messages.TGuildMembers {
		if p.Targets, err = wholes(p.inline[:0], p.field(list)); err != nil {
			return err
		}
	}
	if raw := p.field(fieldTimeout); len(raw) > 0 {
		ms, ok := whole(raw)
		if !ok || ms < 1 || ms > timeoutMax {
			return fmt.Errorf("timeout_ms %.40q: want 1 to %d", raw, timeoutMax)
		}
		p.TimeoutMS = messages.Milliseconds(ms)
	}
	return nil
}

func (p *Parcel) field(f field) []byte { return p.found.fields[f].of(p.frame) }

// Frame is the whole of it. It must not be changed.
func (p *Parcel) Frame() []byte { return p.frame }

// Event is its event_id, as it stands between its quotes; nil where it needs none.
func (p *Parcel) Event() []byte {
	s := p.found.fields[fieldEvent]
	if !s.there() || p.frame[s.from] != '"' {
		return nil
	}
	return p.frame[s.from+1 : s.to-1]
}

// Result is the answer's result as it stands there; nil where it has none.
func (p *Parcel) Result() []byte { return p.field(fieldResult) }

// SetEvent writes another event_id into the frame. The id is plain text.
func (p *Parcel) SetEvent(id string) {
	s := p.found.fields[fieldEvent]
	if s.to-s.from == len(id)+2 { // as long as snowflakes are
		copy(p.frame[s.from+1:], id)
		return
	}
	p.frame = bytes.Join([][]byte{p.frame[:s.from+1], []byte(id), p.frame[s.to-1:]}, nil)
	by := len(id) + 2 - (s.to - s.from)
	for i := range p.found.fields {
		p.found.fields[i].move(s.from, by)
	}
	p.found.fields[fieldEvent] = span{s.from, s.to + by}
}

// For gives the frame with other shards in it.
func (p *Parcel) For(shards []int) []byte {
	s := p.found.fields[fieldShards]
	list := []byte{'['}
	for i, shard := range shards {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, int64(shard), 10)
	}
	return bytes.Join([][]byte{p.frame[:s.from], list, []byte("]"), p.frame[s.to:]}, nil)
}

// move shifts what lies behind a place.
func (s *span) move(behind, by int) {
	if s.from > behind {
		s.from, s.to = s.from+by, s.to+by
	}
}

// plainText reads a text without escapes; none is the empty one.
func plainText(raw []byte) (string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", true
	}
	if raw[0] != '"' || bytes.IndexByte(raw, '\\') >= 0 {
		return "", false
	}
	return interned(raw[1 : len(raw)-1]), true
}

// interned spares the copy of a text that is always the same.
func interned(b []byte) string {
	switch string(b) {
	case messages.TMessage:
		return messages.TMessage
	case messages.TBroadcastEval:
		return messages.TBroadcastEval
	case messages.TRequest:
		return messages.TRequest
	}
	return string(b)
}

// whole reads a whole number as JSON.stringify writes one.
func whole(raw []byte) (n int, ok bool) {
	digits := bytes.TrimPrefix(raw, []byte("-"))
	if len(digits) == 0 || len(digits) > 15 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	if len(digits) < len(raw) {
		n = -n
	}
	return n, true
}

// wholes reads a list of them, behind what is in into.
func wholes(into []int, raw []byte) ([]int, error) {
	if len(raw) < 2 || raw[0] != '[' {
		return nil, fmt.Errorf("shards %.40q: want a list", raw)
	}
	for rest := bytes.TrimSpace(raw[1 : len(raw)-1]); len(rest) > 0; {
		one, more, _ := bytes.Cut(rest, []byte(","))
		n, ok := whole(bytes.TrimSpace(one))
		switch {
		case !ok || n < 0:
			return nil, fmt.Errorf("shards: %.40q: want whole numbers of at least 0", one)
		case len(into) == targetsMax:
			return nil, fmt.Errorf("shards: want at most %d", targetsMax)
		}
		into, rest = append(into, n), more
	}
	return into, nil
}
