package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/discluster/control/messages"
)

// messageType is the only "type" of an envelope that means anything; node-ipc calls it the event's
// name (PROTOCOL A1).
const messageType = "__DDOO__.MESSAGE"

// envelope is a whole frame as it was read.
type envelope struct {
	Type string  `json:"type"`
	Data *packet `json:"data"`
}

// packet is what an envelope carries. Op is a pointer because 0 (dispatch) is a value and absence is a fault.
type packet struct {
	Op *messages.IPCOp `json:"op"`
	T  string          `json:"t"`
	D  json.RawMessage `json:"d"`
}

// outgoing is a whole frame as it is written, its keys in upstream's order. A nil D is left out.
type outgoing struct {
	Type string `json:"type"`
	Data struct {
		Op messages.IPCOp `json:"op"`
		T  string         `json:"t,omitempty"`
		D  any            `json:"d,omitempty"`
	} `json:"data"`
}

// Fault is why a frame could not be read. The set is closed, so that it may label a metric.
type Fault string

const (
	NotJSON   Fault = "not_json"  // broken JSON or broken UTF-8
	Foreign   Fault = "foreign"   // JSON, but no envelope of this conversation: null, another "type"
	Malformed Fault = "malformed" // an envelope whose packet breaks a rule, which Err names
)

// FrameError is the error of DecodeFromInstance and DecodeFromManager, always as a pointer. The
// caller counts it and reads on, as upstream's reader does (PROTOCOL A1). Its text may quote the
// field that is wrong, never a text of free form: a HELLO may bear the token.
type FrameError struct {
	Fault Fault
	Err   error
}

// Error says what was read and what was wrong with it.
func (e *FrameError) Error() string {
	return fmt.Sprintf("read ipc packet (%s): %v", e.Fault, e.Err)
}

// Unwrap gives the cause.
func (e *FrameError) Unwrap() error { return e.Err }

// open takes the packet out of a frame; its Op is never nil. What look finds nothing odd about needs no decoding; encoding/json says what is wrong with the rest.
func open(frame []byte) (packet, error) {
	var g glance
	if look(frame, &g) == nil {
		op, whole := whole(g.op.of(frame))
		t, plain := plainText(g.t.of(frame))
		if whole && plain && string(g.kind.of(frame)) == `"`+messageType+`"` {
			return packet{new(messages.IPCOp(op)), t, g.d.of(frame)}, nil
		}
	}
	if !utf8.Valid(frame) { // encoding/json would put U+FFFD there and say nothing
		return packet{}, &FrameError{NotJSON, errors.New("invalid UTF-8")}
	}
	var e envelope
	err := json.Unmarshal(frame, &e) // a wrong type somewhere is an error, yet the rest is filled in
	if _, broken := errors.AsType[*json.SyntaxError](err); broken {
		return packet{}, &FrameError{NotJSON, err}
	}
	switch {
	case e.Type != messageType:
		return packet{}, &FrameError{Foreign, fmt.Errorf("type %.40q: want %q", e.Type, messageType)}
	case err != nil:
		return packet{}, &FrameError{Malformed, err}
	case e.Data == nil:
		return packet{}, &FrameError{Malformed, errors.New("data: missing or null")}
	case e.Data.Op == nil:
		return packet{}, &FrameError{Malformed, errors.New("op: missing or null")}
	}
	return *e.Data, nil
}

// seal makes a frame. d is marshalled without HTML escapes, so that raw data leaves as it came, save for white space.
func seal(op messages.IPCOp, t string, d any) ([]byte, error) {
	out := outgoing{Type: messageType}
	out.Data.Op, out.Data.T, out.Data.D = op, t, d
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	if err := to.Encode(out); err != nil {
		return nil, fmt.Errorf("write ipc packet %s: %w", name(op, t), err)
	}
	frame := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	if !utf8.Valid(frame) { // only raw data can bring it in
		return nil, fmt.Errorf("write ipc packet %s: invalid UTF-8", name(op, t))
	}
	return frame, nil
}

// name is how errors call a packet: "op 0 PERMIT", "op 2".
func name(op messages.IPCOp, t string) string {
	if t == "" {
		return fmt.Sprintf("op %d", op)
	}
	return fmt.Sprintf("op %d %.40q", op, t)
}
