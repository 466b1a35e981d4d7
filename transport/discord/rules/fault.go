package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// FaultKind names a fault of Discord.
type FaultKind string

// The faults. "Of the shard" means its connections, whatever the shard count; of All, every
// connection.
const (
	// op 7 to every connection of the shard that has a session
	FaultReconnect FaultKind = "reconnect"
	// op 9 to the same; not resumable: the sessions end, and those that wait for a RESUME
	FaultInvalidate FaultKind = "invalidate"
	// the connections of the shard are closed with Code; CloseVanished drops them without a close
	// frame
	FaultClose FaultKind = "close"
	// the connections of the shard fall silent: no ack, no event, no input. New ones work
	FaultFreeze FaultKind = "freeze"
	// and they work again: events kept in between are sent, acks are not
	FaultThaw FaultKind = "thaw"
	// no new connection, REST answers 503; open ones continue
	FaultOutageOn  FaultKind = "outage_on"
	FaultOutageOff FaultKind = "outage_off" //
	// no token is accepted from now on (4004, 401); sessions continue until they need it
	FaultRefuseToken FaultKind = "refuse_token"
	// Token is the valid one from now on; empty: the previous one
	FaultAcceptToken FaultKind = "accept_token"

	// each IDENTIFY of the shard is closed with Code from now on; sessions continue until they need
	// one
	FaultRefuseIdentify FaultKind = "refuse_identify"
	// ends refuse_identify for the shard; of All, for every shard
	FaultAcceptIdentify FaultKind = "accept_identify"

	// max_concurrency is MaxConcurrency from now on; sessions continue
	FaultConcurrency FaultKind = "concurrency"
)

// Fault is one fault, an input like any other. In JSON (POST /faults) a missing shard means All.
type Fault struct {
	Kind      FaultKind `json:"kind"`
	Shard     int       `json:"shard"`
	Code      int       `json:"code,omitempty"`
	Resumable bool      `json:"resumable,omitempty"`
	Token     string    `json:"token,omitempty"`

	MaxConcurrency int `json:"max_concurrency,omitempty"`
}

// UnmarshalJSON reads a fault strictly: unknown fields and kinds are errors.
func (f *Fault) UnmarshalJSON(b []byte) error {
	type plain Fault // without this method
	p := plain{Shard: All}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	*f = Fault(p)
	return f.Validate()
}

// Validate returns an error for a fault that Step does not know.
func (f Fault) Validate() error {
	switch f.Kind {
	case FaultReconnect, FaultInvalidate, FaultFreeze, FaultThaw, FaultOutageOn, FaultOutageOff, FaultRefuseToken, FaultAcceptToken, FaultAcceptIdentify:
	case FaultClose, FaultRefuseIdentify:
		if f.Code < 1000 || f.Code > 4999 {
			return fmt.Errorf("fault %s: code %d, want 1000 to 4999", f.Kind, f.Code)
		}
	case FaultConcurrency:
		if f.MaxConcurrency < 1 || f.MaxConcurrency > bucketsMax {
			return fmt.Errorf("fault %s: max_concurrency %d, want 1 to %d", f.Kind, f.MaxConcurrency, bucketsMax)
		}
	default:
		return fmt.Errorf("fault kind %q is unknown", f.Kind)
	}
	if f.Shard < All {
		return fmt.Errorf("fault shard %d, want -1 (all) or more", f.Shard)
	}
	return nil
}

func (d *Discord) fault(f Fault) {
	switch f.Kind {
	case FaultReconnect:
		for _, c := range d.connections(f.Shard) {
			if c.session != nil {
				d.output(Reconnect{Conn: c.id})
			}
		}
	case FaultInvalidate:
		d.invalidate(f)
	case FaultClose:
		for _, c := range d.connections(f.Shard) {
			d.close(c, f.Code, "Fault.")
		}
	case FaultFreeze:
		for _, c := range d.connections(f.Shard) {
			c.frozen = true
		}
	case FaultThaw:
		for _, c := range d.connections(f.Shard) {
			d.thaw(c)
		}
	case FaultConcurrency:
		d.rebucket(max(f.MaxConcurrency, 1))
	case FaultOutageOn:
		d.outage = true
	case FaultOutageOff:
		d.outage = false
	case FaultRefuseToken:
		d.refused = true
	case FaultAcceptToken:
		d.refused = false
		if f.Token != "" {
			d.c.Token = f.Token
		}
	case FaultRefuseIdentify:
		d.refusals[f.Shard] = f.Code
	case FaultAcceptIdentify:
		delete(d.refusals, f.Shard)
		if f.Shard == All {
			clear(d.refusals)
		}
	}
}

// invalidate sends op 9. The connection stays, without a session.
func (d *Discord) invalidate(f Fault) {
	for _, c := range d.connections(f.Shard) {
		s := c.session
		if s == nil {
			continue
		}
		d.output(InvalidSession{Conn: c.id, Resumable: f.Resumable})
		d.detach(s)
	}
	if f.Resumable {
		return
	}
	for _, s := range d.waiting(f.Shard) {
		d.end(s)
	}
}

// thaw wakes a frozen connection; the frozen time does not count as silence.
func (d *Discord) thaw(c *conn) {
	if !c.frozen {
		return
	}
	c.frozen = false
	c.heard = d.now
	if s := c.session; s != nil {
		for _, k := range s.kept {
			if k.seq > s.sent {
				d.send(s, k)
			}
		}
	}
}

// connections returns the connections of a shard, or all, in the order of their opening.
func (d *Discord) connections(shard int) []*conn {
	var found []*conn
	if shard != All {
		for _, s := range d.byShard[shard] {
			if s.conn != nil {
				found = append(found, s.conn)
			}
		}
		return found
	}
	for _, id := range slices.Sorted(maps.Keys(d.conns)) {
		found = append(found, d.conns[id])
	}
	return found
}

// waiting returns the sessions of a shard, or all, that wait for a RESUME: by shard, then oldest
// first.
func (d *Discord) waiting(shard int) []*session {
	shards := []int{shard}
	if shard == All {
		shards = slices.Sorted(maps.Keys(d.byShard))
	}
	var found []*session
	for _, n := range shards {
		for _, s := range d.byShard[n] {
			if s.conn == nil {
				found = append(found, s)
			}
		}
	}
	return found
}
