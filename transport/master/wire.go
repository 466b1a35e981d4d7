package master

import (
	"bytes"
	"encoding/json"

	"github.com/discluster/control/messages"
)

// Wire forms of packets whose messages cannot be marshalled directly. Each embeds the message and
// overrides single fields: of two fields with one JSON name the outer one counts.

// initialise shows the token. It is the only place of the link that reveals one.
type initialise struct {
	Token string `json:"token"`
	// left out rather than null: absent means unknown
	HeartbeatInterval *messages.Milliseconds `json:"heartbeat_interval,omitempty"`
	messages.Initialise
}

func wireInitialise(m messages.Initialise) initialise {
	return initialise{Token: m.Token.Reveal(), HeartbeatInterval: m.HeartbeatInterval, Initialise: m}
}

// connect writes an absent range as [], as upstream does (PROTOCOL A6).
type connect struct {
	Range json.RawMessage `json:"shardRange"`
	messages.Connect
}

func wireConnect(m messages.Connect) connect {
	w := connect{Range: json.RawMessage("[]"), Connect: m}
	if m.Range != nil {
		w.Range, _ = m.Range.MarshalJSON() // two numbers: cannot fail
	}
	return w
}

// readConnect reads shardRange, which has no or two numbers; absent and null mean none.
func readConnect(p packet) (messages.FromMaster, error) {
	var w connect
	if err := p.into(&w); err != nil {
		return nil, err
	}
	m := w.Connect
	if !p.lacks("shardRange") && !emptyList(w.Range) {
		m.Range = new(messages.ShardRange)
		if err := m.Range.UnmarshalJSON(w.Range); err != nil {
			return nil, &FieldError{Packet: "connect", Field: "shardRange", Value: shown(w.Range), Rule: "[] or " + rangeRule}
		}
	}
	if err := check("connect", m); err != nil {
		return nil, err
	}
	return m, nil
}

// emptyList reports whether raw, which is valid JSON, is an empty list.
func emptyList(raw json.RawMessage) bool {
	return len(raw) > 1 && raw[0] == '[' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

// heartbeatAck names the packet it acks; without it, an ack of MASTER has no meaning.
type heartbeatAck struct {
	Op messages.MasterOp `json:"op"`
	messages.HeartbeatAck
}

// acksHeartbeat refuses an ack whose "op" is not a heartbeat's.
func (p packet) acksHeartbeat() error {
	var op *messages.MasterOp
	raw, found := p.fields["op"]
	if found && json.Unmarshal(raw, &op) == nil && op != nil && *op == messages.OpBeat {
		return nil
	}
	value := "missing"
	if found {
		value = shown(raw)
	}
	return &FieldError{Packet: "ack", Field: "op", Value: value, Rule: "9: MASTER acks heartbeats alone"}
}

// wireInfo writes empty lists as [], never null.
func wireInfo(m messages.Info) messages.Info {
	if m.Ranges == nil {
		m.Ranges = []messages.RangeInfo{}
	}
	if m.Features == nil {
		m.Features = []string{}
	}
	return m
}

// wireHeartbeat writes an empty list as [], never null.
func wireHeartbeat(m messages.Heartbeat) messages.Heartbeat {
	if m.Ranges == nil {
		m.Ranges = []messages.RangeInfo{}
	}
	return m
}
