package ipc

import (
	"fmt"

	"github.com/discluster/control/messages"
)

// EncodeFromInstance writes a message of a cluster process. A message that breaks its rules, or an
// Operation that should have been a message of its own, is an error.
func EncodeFromInstance(m messages.FromInstance) ([]byte, error) {
	switch m := m.(type) {
	case messages.Identify:
		return write(messages.IPCIdentify, "", m)
	case messages.Failure:
		return write(messages.IPCError, "", m)
	case messages.InvalidSession:
		return write(messages.IPCInvalidSession, "", m)
	case messages.IPCBeat:
		return write(messages.IPCHeartbeat, "", m)
	case messages.Connected:
		return write(messages.IPCDispatch, messages.TConnected, m)
	case messages.Destroying:
		return write(messages.IPCDispatch, messages.TDestroying, m)
	case messages.ShardStatus:
		return write(messages.IPCDispatch, messages.TShard, m)
	case messages.InstanceSessions:
		return write(messages.IPCDispatch, messages.TSessions, m)
	case messages.PermitAsk:
		return write(messages.IPCDispatch, messages.TPermit, m)
	case messages.PermitSent:
		return write(messages.IPCDispatch, messages.TPermit, m)
	case messages.Drained:
		if m.Sessions == nil {
			m.Sessions = []messages.Session{} // a list, not null
		}
		return write(messages.IPCDispatch, messages.TDrain, m)
	case messages.ChildDied:
		return write(messages.IPCDispatch, messages.TBotDied, m)
	case messages.ChildSilent:
		return write(messages.IPCDispatch, messages.TBotSilent, m)
	case messages.ChildTrouble:
		return write(messages.IPCDispatch, messages.TBotTrouble, m)
	case messages.Roll:
		return write(messages.IPCDispatch, messages.TRoll, m)
	case messages.Operation:
		if _, own := instanceKinds[kindOf(m.Op, m.T)]; own {
			return nil, fmt.Errorf("write ipc packet %s: it has a message of its own, not Operation", name(m.Op, m.T))
		}
		return writeOperation(m)
	}
	return nil, fmt.Errorf("write ipc packet: %T is not a message of a cluster process", m)
}

// EncodeFromManager writes a message of CONTROL. It refuses a message that breaks its rules, an
// Operation that should have been a message of its own, and what makes a real cluster process crash
// (PROTOCOL A1). The sender must know which cache operations a stock process survives.
func EncodeFromManager(m messages.FromManager) ([]byte, error) {
	switch m := m.(type) {
	case messages.Hello:
		if err := check(m); err != nil {
			return nil, fmt.Errorf("write ipc packet %s: %w", name(messages.IPCHello, ""), err)
		}
		return seal(messages.IPCHello, "", revealed(m))
	case messages.IPCBeat:
		return write(messages.IPCHeartbeat, "", m)
	case messages.Destroying:
		return write(messages.IPCDispatch, messages.TDestroying, m)
	case messages.PermitGrant:
		return write(messages.IPCDispatch, messages.TPermit, m)
	case messages.Reconnect:
		return write(messages.IPCDispatch, messages.TReconnect, m)
	case messages.Drain:
		return write(messages.IPCDispatch, messages.TDrain, m)
	case messages.Operation:
		if _, own := managerKinds[kindOf(m.Op, m.T)]; own {
			return nil, fmt.Errorf("write ipc packet %s: it has a message of its own, not Operation", name(m.Op, m.T))
		}
		if err := survivable(m); err != nil {
			return nil, fmt.Errorf("write ipc packet %s: %w", name(m.Op, m.T), err)
		}
		return writeOperation(m)
	}
	return nil, fmt.Errorf("write ipc packet: %T is not a message of CONTROL", m)
}

// write checks the rules of d and seals it.
func write(op messages.IPCOp, t string, d any) ([]byte, error) {
	if err := check(d); err != nil {
		return nil, fmt.Errorf("write ipc packet %s: %w", name(op, t), err)
	}
	return seal(op, t, d)
}

// writeOperation seals raw data; empty data is left out.
func writeOperation(m messages.Operation) ([]byte, error) {
	if len(m.Data) == 0 {
		return seal(m.Op, m.T, nil)
	}
	return seal(m.Op, m.T, m.Data)
}

// survivable refuses data that a stock cluster process dereferences unchecked and exits 1 for
// (PROTOCOL A1).
func survivable(m messages.Operation) error {
	dispatch := m.Op == messages.IPCDispatch && (m.T == "MESSAGE" || m.T == "PRESENCE_UPDATE")
	if dispatch || m.Op == messages.IPCCacheOperate {
		if err := object(m.Data); err != nil {
			return fmt.Errorf("%w: the instance would crash", err)
		}
	}
	return nil
}

// helloWire is a Hello with its token in clear: the outer field hides the inner one from
// encoding/json.
type helloWire struct {
	messages.Hello
	Token string `json:"token,omitempty"`
}

// revealed is the one place of this package that writes out a secret (PROTOCOL B2, cluster.token:
// hello).
func revealed(m messages.Hello) helloWire {
	if m.Sessions != nil && *m.Sessions == nil {
		m.Sessions = &[]messages.Session{} // "none", where null would mean "absent"
	}
	return helloWire{Hello: m, Token: m.Token.Reveal()}
}
