package master

import (
	"bytes"
	"fmt"

	"github.com/discluster/control/messages"
)

// UnknownOpError reports an opcode that its sender may not use. The packet is well-formed
// otherwise: count it and read on.
type UnknownOpError struct{ Op messages.MasterOp }

func (e *UnknownOpError) Error() string { return fmt.Sprintf("unknown opcode %d", e.Op) }

// MalformedError reports a frame that is not a packet.
type MalformedError struct {
	What  string // "packet", or a part of one: "opcode", "d of connect"
	Got   string // what came instead, at most 60 characters; never a token
	Want  string
	Cause error // of the JSON parser; nil where Want is enough
}

func (e *MalformedError) Error() string {
	text := fmt.Sprintf("%s %s: want %s", e.What, e.Got, e.Want)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

func (e *MalformedError) Unwrap() error { return e.Cause }

// FieldError reports that a field of a packet breaks its rule (PROTOCOL B1).
type FieldError struct {
	Packet string // "initialise"
	Field  string // as on the wire, "shard_count"
	Value  string // "0"; "missing" when the packet has no such field
	Rule   string // "at least 1"
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %s %s: want %s", e.Packet, e.Field, e.Value, e.Rule)
}

// shownMax limits the part of a peer's bytes that an error repeats, in characters: enough to
// recognise them, too few to flood a log.
const shownMax = 60

// shown quotes a peer's bytes for an error. Bytes that mention a token are not repeated.
func shown(b []byte) string {
	if bytes.Contains(bytes.ToLower(b), []byte("token")) {
		return fmt.Sprintf("of %d bytes with a token", len(b))
	}
	count := 0
	for i := range string(b) {
		if count == shownMax {
			return fmt.Sprintf("%#q…", b[:i])
		}
		count++
	}
	return fmt.Sprintf("%#q", b)
}

// opName names an opcode in errors, by its word in PROTOCOL B1.
func opName(op messages.MasterOp) string {
	names := [...]string{"info", "fatal", "command", "offload", "shutdown", "initialise", "connect", "error", "ack", "heartbeat", "permit", "sessions", "snapshot"}
	if op < 0 || int(op) >= len(names) {
		return fmt.Sprintf("opcode %d", op)
	}
	return names[op]
}
