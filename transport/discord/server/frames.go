package server

import (
	"encoding/json"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// Opcodes of the gateway (topics/opcodes-and-status-codes).
const (
	opHeartbeat      = 1
	opIdentify       = 2
	opPresence       = 3
	opVoiceState     = 4
	opResume         = 6
	opReconnect      = 7
	opRequestMembers = 8
	opInvalidSession = 9
	opHello          = 10
	opHeartbeatAck   = 11
	opRequestSounds  = 31
	opRequestInfo    = 43 // Request Channel Info
)

// frameMax is the maximum frame in bytes; a longer one is 4002 (events/gateway, "Sending Events").
const frameMax = 4096

// Decode makes an input of a client's frame. An unreadable one becomes a rules.Malformed.
func Decode(id rules.Conn, shape guilds.Shape, frame []byte) rules.Input {
	bad := rules.Malformed{Conn: id, Code: rules.CloseDecodeError, Reason: "Error while decoding payload."}
	var p struct {
		Op *int            `json:"op"`
		D  json.RawMessage `json:"d"`
	}
	if len(frame) > frameMax || json.Unmarshal(frame, &p) != nil || p.Op == nil {
		return bad
	}
	switch *p.Op {
	case opHeartbeat:
		beat := rules.Heartbeat{Conn: id}
		if p.D != nil && json.Unmarshal(p.D, &beat.Seq) != nil {
			return bad
		}
		return beat
	case opIdentify:
		if in, ok := decodeIdentify(p.D); ok {
			in.Conn = id
			return in
		}
		return bad
	case opResume:
		var d struct {
			Token     string `json:"token"`
			SessionID string `json:"session_id"`
			Seq       int64  `json:"seq"`
		}
		if json.Unmarshal(p.D, &d) != nil {
			return bad
		}
		return rules.Resume{Conn: id, Token: plainToken(d.Token), SessionID: d.SessionID, Seq: d.Seq}
	case opPresence, opVoiceState, opRequestMembers:
		if in, ok := decodeRequest(*p.Op, p.D, shape); ok {
			in.Conn = id
			return in
		}
		return bad
	case opRequestSounds, opRequestInfo:
		return rules.Other{Conn: id}
	}
	return rules.Malformed{Conn: id, Code: rules.CloseUnknownOpcode, Reason: "Unknown opcode."}
}

// decodeIdentify reads the "d" of an IDENTIFY. Without "shard" the bot is one shard; without
// "intents" they are invalid.
func decodeIdentify(raw json.RawMessage) (rules.Identify, bool) {
	d := struct {
		Token   string  `json:"token"`
		Shard   *[2]int `json:"shard"`
		Intents *int64  `json:"intents"`
	}{}
	if json.Unmarshal(raw, &d) != nil {
		return rules.Identify{}, false
	}
	in := rules.Identify{Token: plainToken(d.Token), ShardCount: 1, Intents: -1}
	if d.Shard != nil {
		in.Shard, in.ShardCount = d.Shard[0], d.Shard[1]
	}
	if d.Intents != nil {
		in.Intents = *d.Intents
	}
	return in, true
}
