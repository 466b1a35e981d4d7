package master

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

// Bounds of a peer's values. A value beyond them is a mistake that would be obeyed: as a list too
// long for memory, or a time that overflows.
const (
	shardsMax = 1_000_000 // shard_count and every shard: a hundred times the largest bots
	// machines, shards of a cluster, identifies at once: what config allows
	countMax    = messages.CountMax
	intervalMax = messages.Milliseconds(time.Hour / time.Millisecond)
	durationMax = messages.Milliseconds(30 * 24 * time.Hour / time.Millisecond)
	// a request may wait long for the budget
	waitedMax = messages.Milliseconds(366 * 24 * time.Hour / time.Millisecond)
	// the largest exact integer of JavaScript: epochs, seqs, bytes
	wholeMax     = 1<<53 - 1
	closeCodeMax = 65535
	weightMax    = 1_000_000
	textMax      = 256     // ids and names
	tokenMax     = 4 << 10 // as config allows
	messageMax   = 4 << 10 // texts for people
	featuresMax  = 64
)

// rangeRule is the rule of shardRange, in words.
var rangeRule = fmt.Sprintf("[first,last] with 0 <= first <= last < %d", shardsMax)

// check returns the first rule of PROTOCOL B1 that a packet breaks, nil when it breaks none. Both
// codecs use it, so that a packet that would be refused is never written.
func check(name string, m any) error {
	c := checks{packet: name}
	switch m := m.(type) {
	case messages.Initialise:
		c.initialise(m)
	case messages.Connect:
		c.connect(m)
	case messages.Offload:
		c.brief("id", m.ID)
		c.shardRange("shardRange", &m.Range)
		c.people("reason", m.Reason)
		within(&c, "within_ms", m.WithinMS, 0, durationMax)
	case messages.Shutdown:
		c.brief("id", m.ID)
		c.people("reason", m.Reason)
		c.halt("halt", m.Halt)
	case messages.Command:
		c.text("id", m.ID)
		c.text("name", m.Name)
	case messages.MasterError:
		within(&c, "code", m.Code, 0, closeCodeMax)
		c.people("message", m.Message)
		c.brief("kind", m.Kind)
		c.cluster(m.Cluster)
		c.shardRange("shards", m.Shards)
	case messages.HeartbeatAck:
		within(&c, "seq", m.Seq, 0, wholeMax)
		c.place(m.Machine)
		c.share(m.Share)
	case messages.PermitAnswer:
		c.permitAnswer(m)
	case messages.Info:
		c.info(m)
	case messages.Fatal:
		within(&c, "code", m.Code, 0, closeCodeMax)
		c.people("message", m.Message)
		c.people("reason", m.Reason)
		c.cluster(&m.Cluster)
		c.shardRange("shards", &m.Shards)
	case messages.Ack:
		c.brief("id", m.ID)
		c.brief("state", m.State)
		c.people("error", m.Error)
		c.people("progress", m.Progress)
		c.shardRange("shardRange", m.Range)
		c.sessions(m.Sessions)
	case messages.Heartbeat:
		c.heartbeat(m)
	case messages.PermitRequest:
		c.text("id", m.ID)
		within(&c, "shard", m.Shard, 0, shardsMax-1)
		within(&c, "waited_ms", m.WaitedMS, 0, waitedMax)
		within(&c, "hold_ms", m.HoldMS, 0, durationMax)
		within(&c, "identifies", m.Identifies, 0, shardsMax)
	case messages.PermitReport:
		c.text("id", m.ID)
		within(&c, "identifies", m.Identifies, 0, shardsMax)
	case messages.SessionsMoved:
		c.sessions(m.Sessions)
		for _, shard := range m.Gone {
			within(&c, "gone", shard, 0, shardsMax-1)
		}
	case messages.SnapshotAsk, messages.SnapshotPart:
		c.snapshot(m)
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
	c.rule(len(m.Token) <= tokenMax, "token", fmt.Sprintf("of %d bytes", len(m.Token)), fmt.Sprintf("at most %d", tokenMax))
	optional(c, "heartbeat_interval", m.HeartbeatInterval, 1, intervalMax)
	optional(c, "shard_count", m.ShardCount, 1, shardsMax)
	optional(c, "max_concurrency", m.MaxConcurrency, 1, countMax)
	optional(c, "shards_per_cluster", m.ShardsPerCluster, 1, shardsMax)
	c.features(m.Features)
	c.place(m.Machine)
	within(c, "epoch", m.Epoch, 0, wholeMax)
	optional(c, "lease_ms", m.LeaseMS, 1, durationMax)
}

func (c *checks) heartbeat(m messages.Heartbeat) {
	within(c, "seq", m.Seq, 0, wholeMax)
	c.ranges(m.Ranges)
	within(c, "clusters.serving", m.Clusters.Serving, 0, shardsMax)
	within(c, "clusters.starting", m.Clusters.Starting, 0, shardsMax)
	within(c, "clusters.failed", m.Clusters.Failed, 0, shardsMax)
	within(c, "shards_ready", m.ShardsReady, 0, shardsMax)
	c.share(m.Share)
}

// connect checks that the packet either grants a range or makes a spare.
func (c *checks) connect(m messages.Connect) {
	c.brief("id", m.ID)
	c.sessions(m.Sessions)
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
		within(c, "use_within_ms", m.UseWithinMS, 1, durationMax)
		within(c, "in_ms", m.InMS, 0, durationMax)
	} else {
		within(c, "retry_after_ms", m.RetryAfterMS, 0, durationMax)
	}
	c.people("reason", m.Reason)
}

// info allows a zero count and a zero place, which this machine has not received so far.
func (c *checks) info(m messages.Info) {
	c.brief("hostname", m.Hostname)
	c.brief("version", m.Version)
	within(c, "cpus", m.CPUs, 0, countMax)
	within(c, "memory_bytes", m.MemoryBytes, 0, wholeMax)
	within(c, "load1", m.Load1, 0, weightMax)
	within(c, "weight", m.Weight, 0, weightMax)
	within(c, "epoch", m.Epoch, 0, wholeMax)
	within(c, "shard_count", m.ShardCount, 0, shardsMax)
	within(c, "max_concurrency", m.MaxConcurrency, 0, countMax)
	within(c, "shards_per_cluster", m.ShardsPerCluster, 0, shardsMax)
	c.features(m.Features)
	c.halt("halted", m.Halted)
	c.halt("resumed", m.Resumed)
	for bucket := range m.LastIdentify {
		within(c, "last_identify", bucket, 0, countMax)
	}
	if m.Machine != (messages.Place{}) {
		c.place(&m.Machine)
	}
	c.ranges(m.Ranges)
}

func (c *checks) snapshot(m any) {
	switch m := m.(type) {
	case messages.SnapshotAsk:
		c.text("id", m.ID)
		within(c, "shard", m.Shard, 0, shardsMax-1)
		c.text("session_id", m.SessionID)
		within(c, "offset", m.Offset, 0, wholeMax)
	case messages.SnapshotPart:
		c.text("id", m.ID)
		within(c, "next", m.Next, 0, wholeMax)
		c.people("error", m.Error)
	}
}

// rule records that a field breaks its rule, unless it holds or an earlier one was broken.
func (c *checks) rule(holds bool, field, value, rule string) {
	if !holds && c.broken == nil {
		c.broken = &FieldError{Packet: c.packet, Field: field, Value: value, Rule: rule}
	}
}

func (c *checks) text(field, value string) {
	c.rule(value != "", field, "empty", "a text")
	c.brief(field, value)
}

// brief checks an id or a name, which may be empty.
func (c *checks) brief(field, value string) { c.most(field, value, textMax) }

// people checks a text that people read.
func (c *checks) people(field, value string) { c.most(field, value, messageMax) }

func (c *checks) most(field, value string, most int) {
	c.rule(len(value) <= most, field, fmt.Sprintf("of %d bytes", len(value)), fmt.Sprintf("at most %d", most))
}

func (c *checks) features(all []string) {
	c.rule(len(all) <= featuresMax, "features", fmt.Sprintf("of %d texts", len(all)), fmt.Sprintf("at most %d", featuresMax))
	for _, one := range all {
		c.brief("features", one)
	}
}

// halt checks a halt; nil is absent.
func (c *checks) halt(field string, h *messages.Halt) {
	if h == nil {
		return
	}
	within(c, field+".code", h.Code, 0, closeCodeMax)
	within(c, field+".epoch", h.Epoch, 0, wholeMax)
	c.brief(field+".token", h.Token)
}

func (c *checks) cluster(id *messages.ClusterID) { optional(c, "cluster", id, 0, shardsMax) }

func (c *checks) sessions(all []messages.Session) {
	for _, s := range all {
		within(c, "sessions.shard", s.Shard, 0, shardsMax-1)
		within(c, "sessions.shard_count", s.ShardCount, 0, shardsMax)
		within(c, "sessions.seq", s.Seq, 0, wholeMax)
		c.brief("sessions.session_id", s.SessionID)
		c.brief("sessions.resume_gateway_url", s.ResumeGatewayURL)
		c.brief("sessions.user_id", s.UserID)
		c.brief("sessions.application_id", s.ApplicationID)
	}
}

// shardRange checks a range; nil is absent.
func (c *checks) shardRange(field string, r *messages.ShardRange) {
	if r == nil {
		return
	}
	c.rule(0 <= r.First && r.First <= r.Last && r.Last < shardsMax, field, fmt.Sprintf("[%d,%d]", r.First, r.Last), rangeRule)
}

func (c *checks) ranges(all []messages.RangeInfo) {
	for _, one := range all {
		c.shardRange("ranges", &one.Range)
		c.brief("ranges.state", string(one.State))
		within(c, "ranges.epoch", one.Epoch, 0, wholeMax)
	}
}

// shareMax limits a machine's share of the day's budget, above any bot's.
const shareMax = 100_000_000

// share checks a share; nil is absent.
func (c *checks) share(s *messages.BudgetShare) {
	if s == nil {
		return
	}
	within(c, "share.id", s.ID, 0, wholeMax)
	within(c, "share.total", s.Total, 0, shareMax)
	within(c, "share.remaining", s.Remaining, 0, shareMax)
	within(c, "share.reserve", s.Reserve, 0, shareMax)
	within(c, "share.others", s.Others, 0, shareMax)
}

// place checks a slot; nil is absent.
func (c *checks) place(p *messages.Place) {
	if p == nil {
		return
	}
	within(c, "machine.of", p.Of, 1, countMax)
	c.rule(0 <= p.Index && p.Index < p.Of || *p == messages.NoSlot, "machine.index", fmt.Sprint(p.Index), fmt.Sprintf("0..%d", p.Of-1))
}

// optional checks a number that may be absent.
func optional[N cmp.Ordered](c *checks, field string, value *N, least, most N) {
	if value != nil {
		within(c, field, *value, least, most)
	}
}

// within checks a number that has bounds.
func within[N cmp.Ordered](c *checks, field string, value, least, most N) {
	c.rule(value >= least, field, fmt.Sprint(value), fmt.Sprintf("at least %v", least))
	c.rule(value <= most, field, fmt.Sprint(value), fmt.Sprintf("at most %v", most))
}

// brief cuts a text for people to the limit of a packet.
func brief(text string) string {
	if len(text) <= messageMax {
		return text
	}
	return strings.ToValidUTF8(text[:messageMax], "")
}
