package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/discluster/control/messages"
)

// outgoing is a packet of the client's user.
type outgoing struct {
	op   int
	data json.RawMessage
}

// Discord ends a connection that sends more than 120 packets in 60 s (PROTOCOL B5). Those of the
// client itself, heartbeats above all, are far fewer than what is left for them.
const (
	paceMax    = 100
	paceWithin = time.Minute
	sendsMax   = 256 // packets that wait
)

// ErrSendsFull is why Send refuses a packet: as many wait as two minutes can send.
var ErrSendsFull = errors.New("too many packets wait to be sent to Discord")

// Send sends a packet to Discord in its turn, once the shard is ready: at most 100 a minute, over
// all connections. An error states why it never will be. It does not block.
func (c *Client) Send(op int, data json.RawMessage) error {
	frame, err := json.Marshal(map[string]any{"op": op, "d": data})
	if err != nil {
		return fmt.Errorf("send gateway op %d: %w", op, err)
	}
	if len(frame) > frameMax {
		return fmt.Errorf("send gateway op %d: %d bytes, and Discord takes %d", op, len(frame), frameMax)
	}
	select {
	case c.sends <- outgoing{op, data}:
		return nil
	default:
		return ErrSendsFull
	}
}

// sendable returns what may be sent now, or when to look again.
func (k *connection) sendable() (sends <-chan outgoing, later <-chan time.Time) {
	if k.state != messages.ShardReady {
		return nil, nil
	}
	if wait := k.pace.wait(time.Now()); wait > 0 {
		return nil, time.After(wait)
	}
	return k.sends, nil
}

// pace holds the times of the last packets.
type pace struct {
	times [paceMax]time.Time
	next  int
}

// wait returns how long the next packet must wait.
func (p *pace) wait(now time.Time) time.Duration {
	if oldest := p.times[p.next]; !oldest.IsZero() {
		return paceWithin - now.Sub(oldest)
	}
	return 0
}

func (p *pace) note(now time.Time) {
	p.times[p.next] = now
	p.next = (p.next + 1) % paceMax
}
