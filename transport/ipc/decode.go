package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/discluster/control/messages"
)

// kind distinguishes the packets of one direction.
type kind struct {
	op messages.IPCOp
	t  string
}

// kindOf drops a "t" that has no meaning: upstream reads it in dispatches alone, and an error with
// "t" is a failed eval (PROTOCOL A4).
func kindOf(op messages.IPCOp, t string) kind {
	if op == messages.IPCDispatch || op == messages.IPCError {
		return kind{op, t}
	}
	return kind{op: op}
}

// instanceKinds are the packets of a cluster process that have a message of their own.
var instanceKinds = map[kind]func(json.RawMessage) (messages.FromInstance, error){
	{messages.IPCIdentify, ""}:                   instance[messages.Identify],
	{messages.IPCError, ""}:                      readFailure,
	{messages.IPCInvalidSession, ""}:             instance[messages.InvalidSession],
	{messages.IPCHeartbeat, ""}:                  instance[messages.IPCBeat],
	{messages.IPCDispatch, messages.TConnected}:  instance[messages.Connected],
	{messages.IPCDispatch, messages.TDestroying}: instance[messages.Destroying],
	{messages.IPCDispatch, messages.TShard}:      instance[messages.ShardStatus],
	{messages.IPCDispatch, messages.TSessions}:   instance[messages.InstanceSessions],
	{messages.IPCDispatch, messages.TPermit}:     readPermit,
	{messages.IPCDispatch, messages.TDrain}:      instance[messages.Drained],
	{messages.IPCDispatch, messages.TBotDied}:    instance[messages.ChildDied],
	{messages.IPCDispatch, messages.TBotSilent}:  instance[messages.ChildSilent],
	{messages.IPCDispatch, messages.TBotTrouble}: instance[messages.ChildTrouble],
	{messages.IPCDispatch, messages.TRoll}:       instance[messages.Roll],
}

// managerKinds are the packets of CONTROL that have a message of their own.
var managerKinds = map[kind]func(json.RawMessage) (messages.FromManager, error){
	{messages.IPCHello, ""}:                      manager[messages.Hello],
	{messages.IPCHeartbeat, ""}:                  manager[messages.IPCBeat],
	{messages.IPCDispatch, messages.TDestroying}: manager[messages.Destroying],
	{messages.IPCDispatch, messages.TPermit}:     manager[messages.PermitGrant],
	{messages.IPCDispatch, messages.TReconnect}:  manager[messages.Reconnect],
	{messages.IPCDispatch, messages.TDrain}:      manager[messages.Drain],
}

// DecodeFromInstance reads a frame of a cluster process. A packet without a message of its own
// becomes a messages.Operation. Unknown fields are ignored. Every error is a *FrameError.
func DecodeFromInstance(frame []byte) (messages.FromInstance, error) {
	return decode(frame, instanceKinds, func(o messages.Operation) messages.FromInstance { return o })
}

// DecodeFromManager reads a frame of CONTROL. A packet without a message of its own becomes a
// messages.Operation. Unknown fields are ignored. Every error is a *FrameError.
func DecodeFromManager(frame []byte) (messages.FromManager, error) {
	return decode(frame, managerKinds, func(o messages.Operation) messages.FromManager { return o })
}

// decode reads a frame of one side by its kinds; other converts all other packets.
func decode[M any](frame []byte, kinds map[kind]func(json.RawMessage) (M, error), other func(messages.Operation) M) (m M, err error) {
	p, err := open(frame)
	if err != nil {
		return m, err
	}
	known, ok := kinds[kindOf(*p.Op, p.T)]
	if !ok {
		return other(messages.Operation{Op: *p.Op, T: p.T, Data: p.D}), nil
	}
	if m, err = known(p.D); err != nil {
		return m, &FrameError{Malformed, fmt.Errorf("%s: %w", name(*p.Op, p.T), err)}
	}
	return m, nil
}

// instance is read, for instanceKinds.
func instance[M messages.FromInstance](d json.RawMessage) (messages.FromInstance, error) {
	return read[M](d)
}

// manager is read, for managerKinds.
func manager[M messages.FromManager](d json.RawMessage) (messages.FromManager, error) {
	return read[M](d)
}

// read decodes a packet's data into an M and checks the rules of M.
func read[M any](d json.RawMessage) (M, error) {
	var m M
	if err := object(d); err != nil {
		return m, err
	}
	if err := present(d, required(m)); err != nil {
		return m, err
	}
	if bearsSessions(m) {
		if err := sessionsPresent(d); err != nil {
			return m, err
		}
	}
	if err := json.Unmarshal(d, &m); err != nil {
		return m, err
	}
	return m, check(m)
}

// readPermit distinguishes a request from a report: only the report has "sent" (PROTOCOL B2).
func readPermit(d json.RawMessage) (messages.FromInstance, error) {
	if object(d) == nil && present(d, []string{"sent"}) == nil {
		return read[messages.PermitSent](d)
	}
	return read[messages.PermitAsk](d)
}

// readFailure is lenient with a bot's own exception: the thrown value may not be an Error, and
// node's errors have codes like "ENOTFOUND". The report that the bot is about to exit must not be
// lost for that.
func readFailure(d json.RawMessage) (messages.FromInstance, error) {
	if err := object(d); err != nil {
		return nil, err
	}
	var raw struct {
		EventID messages.Snowflake `json:"event_id"`
		Error   json.RawMessage    `json:"error"`
	}
	if err := json.Unmarshal(d, &raw); err != nil {
		return nil, err
	}
	m := messages.Failure{EventID: raw.EventID}
	switch {
	case len(raw.Error) == 0:
	case object(raw.Error) == nil:
		_ = json.Unmarshal(raw.Error, &m.Error) // fields of another type stay empty
	case json.Unmarshal(raw.Error, &m.Error.Message) != nil: // neither an error nor a text
		m.Error.Message = string(raw.Error)
	}
	return m, nil
}

// object returns an error unless d is a JSON object.
func object(d json.RawMessage) error {
	d = bytes.TrimLeft(d, " \t\r\n")
	switch {
	case len(d) == 0 || string(d) == "null":
		return errors.New("d: missing or null")
	case d[0] != '{':
		return errors.New("d: want an object")
	}
	return nil
}

// present returns an error for the first of keys that the object d lacks, or has as null.
func present(d json.RawMessage, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	var have map[string]json.RawMessage
	if err := json.Unmarshal(d, &have); err != nil {
		return err
	}
	for _, key := range keys {
		if v, ok := have[key]; !ok || string(v) == "null" {
			return fmt.Errorf("%s: missing or null", key)
		}
	}
	return nil
}

// sessionsPresent does the same for every session of d: without "shard" it would count as that of
// shard 0, without "seq" as one without events.
func sessionsPresent(d json.RawMessage) error {
	var have struct {
		Sessions []struct {
			Shard *int   `json:"shard"`
			Seq   *int64 `json:"seq"`
		} `json:"sessions"`
	}
	if err := json.Unmarshal(d, &have); err != nil {
		return err
	}
	for i, s := range have.Sessions {
		if s.Shard == nil || s.Seq == nil {
			return fmt.Errorf("sessions: number %d: shard or seq missing or null", i+1)
		}
	}
	return nil
}
