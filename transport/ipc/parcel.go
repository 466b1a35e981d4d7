package ipc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/discluster/control/messages"
)

// Parcel is an operation between clusters (PROTOCOL A4, B2): the frame as received, and the fields
// that routing needs. The bots' own data is neither decoded nor changed; a hop overwrites the
// event_id, nothing else.
type Parcel struct {
	Op     messages.IPCOp
	T      string // only in dispatches and errors
	Answer bool   // to a request

	Targets   []int // as addressed
	ByShard   bool  // targets are Discord shards; else clusters
	CacheOp   int   // of a cache operation's request
	Serialize int   // how to merge its answers; -1: not at all
	Success   bool  // of the answer to a cache operation or to a request to Discord's REST API
	TimeoutMS messages.Milliseconds
	Until     messages.UnixMillis // of an emergency
	FailFast  bool                // the first failure of a target is the answer to a request

	// Wrong is the reason why a request cannot be carried out, although it can be answered.
	Wrong error

	frame  []byte
	found  outline
	inline [8]int // room for Targets
}

// Limits of targets and requests.
const (
	// ten times the shards of the largest known bot: upstream's "all" is a list of them
	targetsMax = 100_000
	eventMax   = 100 // bytes of an event_id: a snowflake has 39 (PROTOCOL A5)
	timeoutMax = 5 * 60 * 1000
)

// Read fills p from a frame of a cluster process, which it copies into the room of the previous
// one. A packet with a message of its own is not a Parcel: false, nil. An error is a frame that
// cannot be answered.
func (p *Parcel) Read(frame []byte) (bool, error) {
	room := p.frame[:0]
	if cap(room) > pieceSize {
		room = nil
	}
	*p = Parcel{frame: append(room, frame...), Serialize: -1}
	g := &p.found
	if err := scan(frame, g); err != nil {
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

// carried reports whether operations use this opcode.
func carried(op messages.IPCOp) bool {
	return op == messages.IPCDispatch || op == messages.IPCCacheOperate || op == messages.IPCError || op == messages.IPCEmergency
}

// read reads the fields of its kind. An error means that it cannot be answered.
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
			p.Answer = true // CONTROL never asks this
		case messages.TMessage, messages.TPresenceUpdate:
		default:
			return errors.New("unknown type")
		}
	}
	if !p.Answer {
		p.Wrong = p.address()
	}
	return nil
}

// address reads the targets of a request, and how its answers are merged.
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
			if p.Serialize, ok = whole(raw); !ok || p.Serialize < 0 || p.Serialize > serializeMax {
				return fmt.Errorf("serialize %.40q: want 0 to %d", raw, serializeMax)
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
	case p.found.fields[fieldShardIDs].there(): // of ours: clusters named by their shards
		list, p.ByShard = fieldShardIDs, true
	}
	if p.T != messages.TGuildMembers {
		if p.Targets, err = wholes(p.inline[:0], p.field(list)); err != nil {
			return err
		}
	}
	p.FailFast = string(p.field(fieldFailFast)) == "true"
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

// Frame returns the whole frame. It must not be changed.
func (p *Parcel) Frame() []byte { return p.frame }

// Event returns its event_id as written between the quotes; nil where it needs none.
func (p *Parcel) Event() []byte {
	s := p.found.fields[fieldEvent]
	if !s.there() || p.frame[s.from] != '"' {
		return nil
	}
	return p.frame[s.from+1 : s.to-1]
}

// Result returns the answer's result as written; nil where it has none.
func (p *Parcel) Result() []byte { return p.field(fieldResult) }

// SetEvent writes another event_id into the frame. The id is plain text.
func (p *Parcel) SetEvent(id string) {
	s := p.found.fields[fieldEvent]
	if s.to-s.from == len(id)+2 { // the length of most snowflakes
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

// For returns the frame with other shards in it.
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

// move shifts a span that starts after a place.
func (s *span) move(behind, by int) {
	if s.from > behind {
		s.from, s.to = s.from+by, s.to+by
	}
}

// plainText reads a text without escapes; an absent one is empty.
func plainText(raw []byte) (string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", true
	}
	if raw[0] != '"' || bytes.IndexByte(raw, '\\') >= 0 {
		return "", false
	}
	return interned(raw[1 : len(raw)-1]), true
}

// interned avoids the copy of a frequent text.
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

// wholes appends a list of whole numbers to into.
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
