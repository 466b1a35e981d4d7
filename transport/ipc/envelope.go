package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/discluster/control/messages"
)

// messageType is the only valid "type" of an envelope; node-ipc calls it the event's name (PROTOCOL
// A1).
const messageType = "__DDOO__.MESSAGE"

// envelope is a whole frame as read.
type envelope struct {
	Type string  `json:"type"`
	Data *packet `json:"data"`
}

// packet is the content of an envelope. Op is a pointer because 0 (dispatch) is a value and absence
// is a fault.
type packet struct {
	Op *messages.IPCOp `json:"op"`
	T  string          `json:"t"`
	D  json.RawMessage `json:"d"`
}

// outgoing is a whole frame as written, its keys in upstream's order. A nil D is left out.
type outgoing struct {
	Type string `json:"type"`
	Data struct {
		Op messages.IPCOp `json:"op"`
		T  string         `json:"t,omitempty"`
		D  any            `json:"d,omitempty"`
	} `json:"data"`
}

// Fault is the reason why a frame could not be read. The set is closed, so that it may label a
// metric.
type Fault string

const (
	NotJSON Fault = "not_json" // broken JSON or broken UTF-8
	// JSON, but not an envelope of this protocol: null, another "type"
	Foreign   Fault = "foreign"
	Malformed Fault = "malformed" // an envelope whose packet breaks a rule, which Err names
)

// FrameError is the error of DecodeFromInstance and DecodeFromManager, always as a pointer. The
// caller counts it and reads on, as upstream's reader does (PROTOCOL A1). Its text may quote the
// wrong field, never a text of free form: a HELLO may contain the token.
type FrameError struct {
	Fault Fault
	Err   error
}

// Error returns the fault and its cause.
func (e *FrameError) Error() string {
	return fmt.Sprintf("read ipc packet (%s): %v", e.Fault, e.Err)
}

// Unwrap returns the cause.
func (e *FrameError) Unwrap() error { return e.Err }

// open returns the packet of a frame; its Op is never nil. A frame that scan accepts needs no
// decoding; for the rest encoding/json returns the error.
func open(frame []byte) (packet, error) {
	var g outline
	if scan(frame, &g) == nil {
		op, whole := whole(g.op.of(frame))
		t, plain := plainText(g.t.of(frame))
		if whole && plain && string(g.kind.of(frame)) == `"`+messageType+`"` {
			return packet{new(messages.IPCOp(op)), t, g.d.of(frame)}, nil
		}
	}
	if !utf8.Valid(frame) { // encoding/json would silently put U+FFFD there
		return packet{}, &FrameError{NotJSON, errors.New("invalid UTF-8")}
	}
	var e envelope
	// a wrong type somewhere is an error, but the rest is filled in
	err := json.Unmarshal(frame, &e)
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

// seal makes a frame. d is marshalled without HTML escapes, so that raw data is written unchanged,
// except for white space.
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
	if !utf8.Valid(frame) { // only raw data can contain it
		return nil, fmt.Errorf("write ipc packet %s: invalid UTF-8", name(op, t))
	}
	return frame, nil
}

// name names a packet in errors: "op 0 PERMIT", "op 2".
func name(op messages.IPCOp, t string) string {
	if t == "" {
		return fmt.Sprintf("op %d", op)
	}
	return fmt.Sprintf("op %d %.40q", op, t)
}
