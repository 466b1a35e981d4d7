package server

import (
	"encoding/json"
	"fmt"
	"strconv"

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

// frameMax is the longest frame Discord takes, in bytes; a longer one is 4002 (events/gateway, "Sending Events").
const frameMax = 4096

// decode makes an input of a client's frame. What cannot be understood is a rules.Malformed.
func decode(id rules.Conn, frame []byte) rules.Input {
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
	case opPresence, opVoiceState, opRequestMembers, opRequestSounds, opRequestInfo:
		return rules.Other{Conn: id}
	}
	return rules.Malformed{Conn: id, Code: rules.CloseUnknownOpcode, Reason: "Unknown opcode."}
}

// decodeIdentify reads the "d" of an IDENTIFY. Without "shard" the bot is one shard; without "intents" they are invalid.
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

// encode makes the payload of an output; a rules.Close has none.
func encode(o rules.Output, version int, resumeURL string) ([]byte, error) {
	switch o := o.(type) {
	case rules.Hello:
		return fmt.Appendf(nil, `{"t":null,"s":null,"op":%d,"d":{"heartbeat_interval":%d,"_trace":["[\"simulated\"]"]}}`, opHello, o.Interval.Milliseconds()), nil
	case rules.Ack:
		return fmt.Appendf(nil, `{"t":null,"s":null,"op":%d,"d":null}`, opHeartbeatAck), nil
	case rules.Reconnect:
		return fmt.Appendf(nil, `{"t":null,"s":null,"op":%d,"d":null}`, opReconnect), nil
	case rules.InvalidSession:
		return fmt.Appendf(nil, `{"t":null,"s":null,"op":%d,"d":%t}`, opInvalidSession, o.Resumable), nil
	case rules.Event:
		return fmt.Appendf(nil, `{"t":%q,"s":%d,"op":0,"d":%s}`, o.Type, o.Seq, o.Data), nil
	case rules.Resumed:
		return fmt.Appendf(nil, `{"t":"RESUMED","s":%d,"op":0,"d":{"_trace":["[\"simulated\"]"]}}`, o.Seq), nil
	case rules.Ready:
		d, err := json.Marshal(readyData(o, version, resumeURL))
		return fmt.Appendf(nil, `{"t":"READY","s":%d,"op":0,"d":%s}`, o.Seq, d), err
	}
	return nil, fmt.Errorf("simulated discord: no payload for %T", o)
}

// ready is the "d" of READY (events/gateway-events, "Ready"): the documented fields, and those empty lists that clients expect.
type ready struct {
	V                int                `json:"v"`
	User             user               `json:"user"`
	Guilds           []unavailableGuild `json:"guilds"`
	SessionID        string             `json:"session_id"`
	SessionType      string             `json:"session_type"`
	ResumeGatewayURL string             `json:"resume_gateway_url"`
	Shard            [2]int             `json:"shard"`
	Application      application        `json:"application"`
	PrivateChannels  []struct{}         `json:"private_channels"`
	Relationships    []struct{}         `json:"relationships"`
}

// user is the bot's own user, in READY and at /users/@me.
type user struct {
	ID            string  `json:"id"`
	Username      string  `json:"username"`
	Discriminator string  `json:"discriminator"`
	GlobalName    *string `json:"global_name"`
	Avatar        *string `json:"avatar"`
	Bot           bool    `json:"bot"`
	Verified      bool    `json:"verified"`
	MFAEnabled    bool    `json:"mfa_enabled"`
	Flags         int     `json:"flags"`
}

// application is the bot's application; REST gives it a name as well.
type application struct {
	ID    string `json:"id"`
	Flags int    `json:"flags"`
	Name  string `json:"name,omitempty"`
}

// unavailableGuild is a guild in READY; GUILD_CREATE brings the rest.
type unavailableGuild struct {
	ID          string `json:"id"`
	Unavailable bool   `json:"unavailable"`
}

// botName is the simulated bot's user and application.
const botName = "simulated"

func botUser(id uint64) user {
	return user{ID: strconv.FormatUint(id, 10), Username: botName, Discriminator: "0000", Bot: true, Verified: true, MFAEnabled: true}
}

func readyData(o rules.Ready, version int, resumeURL string) ready {
	r := ready{
		V: version, User: botUser(o.UserID), Guilds: []unavailableGuild{}, SessionID: o.SessionID, SessionType: "normal",
		ResumeGatewayURL: resumeURL, Shard: [2]int{o.Shard, o.ShardCount},
		Application:     application{ID: strconv.FormatUint(o.ApplicationID, 10)},
		PrivateChannels: []struct{}{}, Relationships: []struct{}{},
	}
	for _, id := range o.Guilds {
		r.Guilds = append(r.Guilds, unavailableGuild{strconv.FormatUint(id, 10), true})
	}
	return r
}
