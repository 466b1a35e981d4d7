package master

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/discluster/control/messages"
)

// packetRule describes every frame of the link (PROTOCOL B1).
const packetRule = `a JSON object {"d":object,"o":opcode}`

// DecodeFromMaster reads one frame of MASTER. Unknown fields are ignored; a packet without "d" is
// read as if it were {}. Upstream's sendError may write a MasterError with opcode 1 (PROTOCOL A6);
// it is read as one.
//
// Errors: *UnknownOpError, *MalformedError, *FieldError, or those of messages.ShardRange for a
// range.
func DecodeFromMaster(frame []byte) (messages.FromMaster, error) {
	p, err := open(frame)
	if err != nil {
		return nil, err
	}
	type from = messages.FromMaster
	switch p.op {
	case messages.OpInitialise:
		return read[from, messages.Initialise](p, "token")
	case messages.OpConnect:
		return readConnect(p)
	case messages.OpOffload:
		return read[from, messages.Offload](p, "shardRange")
	case messages.OpShutdown:
		return read[from, messages.Shutdown](p)
	case messages.OpCommand:
		return read[from, messages.Command](p, "id", "name")
	case messages.OpMasterError, messages.OpFatal:
		return read[from, messages.MasterError](p)
	case messages.OpAck:
		if err := p.acksHeartbeat(); err != nil {
			return nil, err
		}
		return read[from, messages.HeartbeatAck](p, "seq")
	case messages.OpPermit:
		return read[from, messages.PermitAnswer](p, "id", "granted")
	case messages.OpSnapshot:
		return readSnapshot[from](p)
	default:
		return nil, &UnknownOpError{Op: p.op}
	}
}

// DecodeFromControl reads one frame of a CONTROL, as DecodeFromMaster does. A permit with "sent" is
// a PermitReport, one without a PermitRequest; a snapshot with "shard" is a SnapshotAsk, one
// without a SnapshotPart.
func DecodeFromControl(frame []byte) (messages.FromControl, error) {
	p, err := open(frame)
	if err != nil {
		return nil, err
	}
	type from = messages.FromControl
	switch p.op {
	case messages.OpInfo:
		return read[from, messages.Info](p)
	case messages.OpFatal:
		return read[from, messages.Fatal](p)
	case messages.OpMasterError:
		return read[from, messages.MasterError](p)
	case messages.OpAck:
		return read[from, messages.Ack](p)
	case messages.OpBeat:
		return read[from, messages.Heartbeat](p, "seq")
	case messages.OpPermit:
		if _, reports := p.fields["sent"]; reports {
			return read[from, messages.PermitReport](p, "id", "sent")
		}
		return read[from, messages.PermitRequest](p, "id", "shard")
	case messages.OpSessions:
		return read[from, messages.SessionsMoved](p)
	case messages.OpSnapshot:
		return readSnapshot[from](p)
	default:
		return nil, &UnknownOpError{Op: p.op}
	}
}

// EncodeFromMaster writes a packet of MASTER. A packet that breaks its rules is not written:
// *FieldError. A text for people that is too long is cut.
func EncodeFromMaster(m messages.FromMaster) ([]byte, error) {
	switch m := m.(type) {
	case messages.Initialise:
		return write(messages.OpInitialise, m, wireInitialise(m))
	case messages.Connect:
		return write(messages.OpConnect, m, wireConnect(m))
	case messages.Offload:
		m.Reason = brief(m.Reason)
		return write(messages.OpOffload, m, m)
	case messages.Shutdown:
		m.Reason = brief(m.Reason)
		return write(messages.OpShutdown, m, m)
	case messages.Command:
		return write(messages.OpCommand, m, m)
	case messages.MasterError:
		m.Message = brief(m.Message)
		return write(messages.OpMasterError, m, m)
	case messages.HeartbeatAck:
		return write(messages.OpAck, m, heartbeatAck{Op: messages.OpBeat, HeartbeatAck: m})
	case messages.PermitAnswer:
		return write(messages.OpPermit, m, m)
	case messages.SnapshotAsk:
		return write(messages.OpSnapshot, m, m)
	case messages.SnapshotPart:
		m.Error = brief(m.Error)
		return write(messages.OpSnapshot, m, m)
	default:
		return nil, fmt.Errorf("encode %T: not a packet of MASTER", m)
	}
}

// EncodeFromControl writes a packet of CONTROL. A packet that breaks its rules is not written:
// *FieldError. A text for people that is too long is cut.
func EncodeFromControl(m messages.FromControl) ([]byte, error) {
	switch m := m.(type) {
	case messages.Info:
		return write(messages.OpInfo, m, wireInfo(m))
	case messages.Fatal:
		m.Message, m.Reason = brief(m.Message), brief(m.Reason)
		return write(messages.OpFatal, m, m)
	case messages.MasterError:
		m.Message = brief(m.Message)
		return write(messages.OpMasterError, m, m)
	case messages.Ack:
		m.Error, m.Progress = brief(m.Error), brief(m.Progress)
		return write(messages.OpAck, m, m)
	case messages.Heartbeat:
		return write(messages.OpBeat, m, wireHeartbeat(m))
	case messages.PermitRequest:
		return write(messages.OpPermit, m, m)
	case messages.PermitReport:
		return write(messages.OpPermit, m, m)
	case messages.SessionsMoved:
		return write(messages.OpSessions, m, m)
	case messages.SnapshotAsk:
		return write(messages.OpSnapshot, m, m)
	case messages.SnapshotPart:
		m.Error = brief(m.Error)
		return write(messages.OpSnapshot, m, m)
	default:
		return nil, fmt.Errorf("encode %T: not a packet of CONTROL", m)
	}
}

// readSnapshot reads a snapshot packet, which both sides send.
func readSnapshot[P any](p packet) (P, error) {
	if _, asks := p.fields["shard"]; asks {
		return read[P, messages.SnapshotAsk](p, "id", "shard", "session_id")
	}
	return read[P, messages.SnapshotPart](p, "id")
}

// packet is a frame, parsed as far as all packets are alike.
type packet struct {
	op     messages.MasterOp
	data   json.RawMessage            // "d", an object
	fields map[string]json.RawMessage // of d, by their exact names: distinguishes absent from zero
}

// open checks the rules of every packet.
func open(frame []byte) (packet, error) {
	malformed := func(want string, cause error) (packet, error) {
		return packet{}, &MalformedError{What: "packet", Got: shown(frame), Want: want, Cause: cause}
	}
	if !utf8.Valid(frame) {
		return malformed("UTF-8", nil)
	}
	var keys map[string]json.RawMessage // a struct would take "O" for "o"
	if err := json.Unmarshal(frame, &keys); err != nil || keys == nil {
		var wrongKind *json.UnmarshalTypeError
		if errors.As(err, &wrongKind) {
			err = nil // it repeats packetRule
		}
		return malformed(packetRule, err)
	}
	var o *float64 // not int: JavaScript may write 8.0
	if raw, found := keys["o"]; !found {
		return malformed(`"o", the opcode`, nil)
	} else if err := json.Unmarshal(raw, &o); err != nil || o == nil || *o != math.Trunc(*o) || math.Abs(*o) > math.MaxInt32 {
		return packet{}, &MalformedError{What: "opcode", Got: shown(raw), Want: "a whole number of 32 bits"}
	}
	p := packet{op: messages.MasterOp(*o), data: keys["d"]}
	if p.data == nil {
		p.data = json.RawMessage("{}")
	}
	if p.data[0] != '{' {
		got := shown(p.data)
		if p.op == messages.OpInitialise {
			got = fmt.Sprintf("of %d bytes", len(p.data)) // it might be the token
		}
		return packet{}, &MalformedError{What: "d of " + opName(p.op), Got: got, Want: "an object"}
	}
	return p, json.Unmarshal(p.data, &p.fields)
}

// read decodes d into a T, which is one of the closed set P. The required fields must be present,
// and the values must keep their rules.
func read[P, T any](p packet, required ...string) (P, error) {
	var none P
	var v T
	if err := p.into(&v, required...); err != nil {
		return none, err
	}
	if err := check(opName(p.op), v); err != nil {
		return none, err
	}
	return any(v).(P), nil
}

// into decodes d.
func (p packet) into(v any, required ...string) error {
	for _, field := range required {
		if p.lacks(field) {
			return &FieldError{Packet: opName(p.op), Field: field, Value: "missing", Rule: "it in every " + opName(p.op)}
		}
	}
	err := json.Unmarshal(p.data, v)
	var wrongKind *json.UnmarshalTypeError
	if errors.As(err, &wrongKind) {
		field := strings.TrimPrefix(wrongKind.Field, "Connect.") // embedded in its wire form
		return &FieldError{Packet: opName(p.op), Field: field, Value: "as " + wrongKind.Value, Rule: kindName(wrongKind.Type)}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", opName(p.op), err)
	}
	return nil
}

// lacks reports whether d has no such field, or null in it.
func (p packet) lacks(field string) bool {
	raw, found := p.fields[field]
	return !found || string(raw) == "null"
}

// write checks m and writes wire, its form on the wire, as d. The key order is upstream's.
func write(op messages.MasterOp, m, wire any) ([]byte, error) {
	if err := check(opName(op), m); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // JSON.stringify does not escape <, > and &
	err := enc.Encode(struct {
		D any               `json:"d"`
		O messages.MasterOp `json:"o"`
	}{wire, op})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", opName(op), err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// kindName returns the JSON type that a Go type needs, in the words of the protocol.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}
