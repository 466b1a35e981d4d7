package master

import (
	"cmp"
	"fmt"

	"github.com/discluster/control/messages"
)

// shardsMax bounds shard_count and every shard: a hundred times the largest bots, and still no danger to the memory of whoever makes a list of them.
const shardsMax = 1_000_000

// rangeRule is what shardRange holds, in words.
var rangeRule = fmt.Sprintf("[first,last] with 0 <= first <= last < %d", shardsMax)

// check tells the first rule of WIRE B1 that a packet breaks, nil when it breaks none. Both codecs ask it, so that what is refused is never written either.
func check(name string, m any) error {
	c := checks{packet: name}
	switch m := m.(type) {
	case messages.Initialise:
		c.initialise(m)
	case messages.Connect:
		c.connect(m)
	case messages.Offload:
		c.shardRange("shardRange", &m.Range)
	case messages.Command:
		c.text("id", m.ID)
		c.text("name", m.Name)
	case messages.MasterError:
		c.shardRange("shards", m.Shards)
	case messages.HeartbeatAck:
		c.place(m.Machine)
	case messages.PermitAnswer:
		c.permitAnswer(m)
	case messages.Info:
		c.info(m)
	case messages.Fatal:
		c.shardRange("shards", &m.Shards)
	case messages.Ack:
		c.shardRange("shardRange", m.Range)
	case messages.Heartbeat:
		c.ranges(m.Ranges)
	case messages.PermitRequest:
		c.text("id", m.ID)
		atLeast(&c, "shard", m.Shard, 0)
		atLeast(&c, "hold_ms", m.HoldMS, 0)
		c.identifies(m.Identifies)
	case messages.PermitReport:
		c.text("id", m.ID)
		c.identifies(m.Identifies)
	}
	if c.broken != nil {
		return c.broken
	}
	return nil
}

// checks keeps the first broken rule of one packet.
type checks struct {
	packet string
	broken *FieldError
}

func (c *checks) initialise(m messages.Initialise) {
	c.rule(m.Token != "", "token", "empty", "the bot's token")
	said(c, "heartbeat_interval", m.HeartbeatInterval, 1)
	said(c, "shard_count", m.ShardCount, 1)
	if m.ShardCount != nil {
		c.shardCount(*m.ShardCount)
	}
	said(c, "max_concurrency", m.MaxConcurrency, 1)
	said(c, "shards_per_cluster", m.ShardsPerCluster, 1)
	c.place(m.Machine)
	said(c, "lease_ms", m.LeaseMS, 1)
}

// connect either grants a range or makes a spare.
func (c *checks) connect(m messages.Connect) {
	switch {
	case m.Range == nil:
		c.rule(m.Redundant, "shardRange", "[]", "a range, or redundant true")
	case m.Redundant:
		c.rule(false, "shardRange", "["+m.Range.String()+"]", "[] when redundant is true")
	default:
		c.shardRange("shardRange", m.Range)
	}
}

func (c *checks) permitAnswer(m messages.PermitAnswer) {
	c.text("id", m.ID)
	if m.Granted {
		atLeast(c, "use_within_ms", m.UseWithinMS, 1)
		atLeast(c, "in_ms", m.InMS, 0)
	} else {
		atLeast(c, "retry_after_ms", m.RetryAfterMS, 0)
	}
}

// info leaves out what this machine was not told yet: a zero count, a zero place.
func (c *checks) info(m messages.Info) {
	atLeast(c, "shard_count", m.ShardCount, 0)
	c.shardCount(m.ShardCount)
	if m.Machine != (messages.Place{}) {
		c.place(&m.Machine)
	}
	c.ranges(m.Ranges)
}

// rule notes that a field breaks its rule, unless it holds or an earlier one was broken.
func (c *checks) rule(holds bool, field, value, rule string) {
	if !holds && c.broken == nil {
		c.broken = &FieldError{Packet: c.packet, Field: field, Value: value, Rule: rule}
	}
}

func (c *checks) text(field, value string) { c.rule(value != "", field, "empty", "a text") }

func (c *checks) identifies(n int) {
	c.rule(0 <= n && n <= shardsMax, "identifies", fmt.Sprint(n), fmt.Sprintf("0 to %d", shardsMax))
}

func (c *checks) shardCount(n int) {
	c.rule(n <= shardsMax, "shard_count", fmt.Sprint(n), fmt.Sprintf("at most %d", shardsMax))
}

// shardRange checks a range; nil was not said.
func (c *checks) shardRange(field string, r *messages.ShardRange) {
	if r == nil {
		return
	}
	c.rule(0 <= r.First && r.First <= r.Last && r.Last < shardsMax, field, fmt.Sprintf("[%d,%d]", r.First, r.Last), rangeRule)
}

func (c *checks) ranges(all []messages.RangeInfo) {
	for _, one := range all {
		c.shardRange("ranges", &one.Range)
	}
}

// place checks a seat; nil was not said.
func (c *checks) place(p *messages.Place) {
	if p == nil {
		return
	}
	atLeast(c, "machine.of", p.Of, 1)
	c.rule(0 <= p.Index && p.Index < p.Of || *p == messages.NoSlot, "machine.index", fmt.Sprint(p.Index), fmt.Sprintf("0..%d", p.Of-1))
}

// said checks a number that may be absent.
func said[N cmp.Ordered](c *checks, field string, value *N, least N) {
	if value != nil {
		atLeast(c, field, *value, least)
	}
}

func atLeast[N cmp.Ordered](c *checks, field string, value, least N) {
	c.rule(value >= least, field, fmt.Sprint(value), fmt.Sprintf("at least %v", least))
}
