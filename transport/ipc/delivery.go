package ipc

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/discluster/control/messages"
)

// Delivery is a packet that another cluster wrote, or CONTROL's answer to this one, as it reaches a
// cluster process: found by one pass over the frame, its values not decoded. Its raw fields are
// parts of that frame; nil where it has none.
type Delivery struct {
	Op    messages.IPCOp // IPCDispatch or IPCError
	T     string         // MESSAGE, REQUEST, BROADCAST_EVAL, or of an error PRESENCE_UPDATE
	Event messages.Snowflake

	Message json.RawMessage // of a MESSAGE
	Name    string          // of the handler that a REQUEST calls
	Data    json.RawMessage // of a REQUEST
	Script  json.RawMessage // of a BROADCAST_EVAL

	Answer   bool            // to a REQUEST or BROADCAST_EVAL of this cluster, or an error
	Result   json.RawMessage // of an answer
	Clusters []int           // of the results, in their order
	Errors   json.RawMessage // a list of TargetError

	From      messages.ClusterID
	TimeoutMS messages.Milliseconds // of a REQUEST or BROADCAST_EVAL; 0: absent

	event span // of Event, with its quotes
}

// Read fills d from a frame and reports whether it is a Delivery; every other frame is for
// DecodeFromManager. An error is a Delivery that breaks a rule.
func (d *Delivery) Read(frame []byte) (bool, error) {
	var g outline
	odd := scan(frame, &g)
	if odd != nil || string(g.kind.of(frame)) != `"`+messageType+`"` || !g.d.there() || frame[g.d.from] != '{' {
		return false, nil //nolint:nilerr // DecodeFromManager returns the error
	}
	op, number := whole(g.op.of(frame))
	t, plain := plainText(g.t.of(frame))
	if !number || !plain {
		return false, nil
	}
	failed := messages.IPCOp(op) == messages.IPCError
	switch {
	case messages.IPCOp(op) != messages.IPCDispatch && !failed:
		return false, nil
	case t == messages.TRequest, t == messages.TMessage, t == messages.TBroadcastEval, t == messages.TPresenceUpdate && failed:
	default:
		return false, nil
	}
	*d = Delivery{Op: messages.IPCOp(op), T: t}
	if err := d.fields(frame, &g); err != nil {
		return true, &FrameError{Malformed, fmt.Errorf("%s: %w", name(d.Op, d.T), err)}
	}
	return true, nil
}

// Renamed returns the frame that d was read from with another event_id, which is plain text. d has
// one.
func (d *Delivery) Renamed(frame []byte, event string) []byte {
	return bytes.Join([][]byte{frame[:d.event.from+1], []byte(event), frame[d.event.to-1:]}, nil)
}

// fields reads the fields under "d".
func (d *Delivery) fields(frame []byte, g *outline) error {
	field := func(f field) []byte { return g.fields[f].of(frame) }
	event, ok := plainText(field(fieldEvent))
	if !ok || len(event) > eventMax {
		return fmt.Errorf("event_id %.40q: want a text of at most %d bytes", field(fieldEvent), eventMax)
	}
	d.event = g.fields[fieldEvent]
	d.Event, d.Message, d.Data, d.Result, d.Errors = messages.Snowflake(event), field(fieldMessage), field(fieldData), field(fieldResult), field(fieldErrors)
	if raw := field(fieldFrom); raw != nil {
		from, ok := whole(raw)
		if !ok {
			return fmt.Errorf("from %.40q: want a whole number", raw)
		}
		d.From = messages.ClusterID(from)
	}
	if raw := field(fieldTimeout); raw != nil {
		ms, ok := whole(raw)
		if !ok || ms < 0 {
			return fmt.Errorf("timeout_ms %.40q: want at least 0", raw)
		}
		d.TimeoutMS = messages.Milliseconds(min(ms, timeoutMax))
	}
	if raw := field(fieldClusters); raw != nil {
		var err error
		if d.Clusters, err = wholes(nil, raw); err != nil {
			return fmt.Errorf("clusters: %w", err)
		}
	}
	if d.T == messages.TBroadcastEval {
		d.Script = field(fieldScript)
		d.Answer = null(d.Script) || d.Op == messages.IPCError
		return nil
	}
	raw := field(fieldName)
	if d.Answer = null(raw) || d.Op == messages.IPCError; d.Answer {
		return nil
	}
	if d.Name, ok = plainText(raw); ok {
		return nil
	}
	var escaped string // of its own, so that d needs no heap
	err := json.Unmarshal(raw, &escaped)
	d.Name = escaped
	return err
}
