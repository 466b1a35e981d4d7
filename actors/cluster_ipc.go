package actors

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
)

// ipc is a Cluster's conversation with its process: Discordoo's packets and ours (WIRE A3, B2).
type ipc struct {
	link     transport.Link // nil: not open
	features []string       // what the instance announced
	intents  int64          // and with which intents it identifies
	shards   map[int]*shard
	lastBeat time.Time // the last sign of life that was owed
	relinkBy time.Time // when a lost socket must be back; zero: it is there
	dialErr  error     // of the last try
	dropped  int       // packets that could not be read on this link

	closeCode int // the last one a shard reported
}

// shard is what is known of one shard of the cluster.
type shard struct {
	state    messages.ShardState
	deadline time.Time // when it must have moved on; zero: it waits for others, which is not failing
}

// beatSlack is how much later than two intervals a heartbeat may come, as a share of the interval.
const beatSlack = 10

func (c *Cluster) dial(ctx actor.Context) {
	send, life := world.Sender(ctx), c.life.Instance
	c.cancel = c.W.Dial(transport.Target{URL: "unix:" + c.life.Socket}, func(l transport.Link, err error) { send(socketOpened{life, l, err}) })
}

func (c *Cluster) opened(ctx actor.Context, m socketOpened) {
	if m.life != c.life.Instance || c.process == nil || c.dying() {
		if m.link != nil {
			m.link.Close(0, "")
		}
		return
	}
	if c.dialErr = m.err; m.err != nil {
		c.After(ctx, redialEvery, redial{c.life.Instance})
		return
	}
	c.cancel, c.link, c.dropped, c.lastBeat = nil, m.link, 0, time.Now()
	send, link := world.Sender(ctx), m.link
	link.Receive(
		func(b []byte) { send(socketFrame{link, b}) },
		func(err error) { send(socketEnded{link, err}) })
	c.hello(ctx, nil)
}

func (c *Cluster) closed(ctx actor.Context, m socketEnded) {
	if m.link != c.link {
		return
	}
	c.link, c.dialErr = nil, m.err
	if c.dying() {
		return
	}
	if c.State() == string(messages.ClusterConnecting) || c.State() == string(messages.ClusterServing) {
		c.relinkBy = time.Now().Add(relinkWithin)
		c.arm(ctx)
	}
	c.After(ctx, redialEvery, redial{c.life.Instance})
}

// frame reads one packet. What cannot be read is dropped, and said once a link.
func (c *Cluster) frame(ctx actor.Context, m socketFrame) {
	m.link.Took()
	if m.link != c.link {
		return
	}
	p, err := codec.DecodeFromInstance(m.frame)
	if err != nil {
		if c.dropped++; c.dropped == 1 {
			ctx.Send(c.house.Herald, messages.PacketDropped{From: "cluster " + c.plan.ID.String(), Err: err.Error()})
		}
		return
	}
	c.packet(ctx, p)
}

func (c *Cluster) packet(ctx actor.Context, p messages.FromInstance) {
	now := time.Now()
	switch p := p.(type) {
	case messages.Identify:
		c.lastBeat = now
		c.identified(ctx, p)
	case messages.IPCBeat:
		c.lastBeat = now
		c.send(messages.IPCBeat{ID: c.life.Manager, EventID: p.EventID})
	case messages.InvalidSession:
		c.wrong(ctx, fmt.Sprintf("the bot refused HELLO: it takes another manager than %s for its own", c.life.Manager))
	case messages.PermitAsk:
		c.asked(ctx, p)
	case messages.PermitSent:
		ctx.Send(c.house.Gate, messages.PermitUsed{ID: c.permitID(p.EventID), Sent: p.Sent})
		if s := c.shards[p.Shard]; s != nil && p.Sent {
			s.deadline = now.Add(c.options.ReadyTimeout)
			c.arm(ctx)
		}
	case messages.ShardStatus:
		c.shardMoved(ctx, p)
	case messages.Connected:
		if p.EventID == c.life.Instance && !c.has(messages.FeatureShards) {
			c.connected(ctx)
		}
	case messages.Failure:
		c.failed(ctx, p)
	case messages.InstanceSessions:
		c.keep(ctx, p.Sessions, p.Gone)
	case messages.Drained:
		c.keep(ctx, p.Sessions, nil)
	case messages.Destroying, messages.Operation:
	}
}

// hello opens the conversation, opens it again after a lost link, or probes. sessions is nil but for the second HELLO.
func (c *Cluster) hello(ctx actor.Context, sessions *[]messages.Session) {
	id := c.plan.ID
	h := messages.Hello{
		ID: c.life.Manager, EventID: c.mint.New(time.Now(), messages.ManagerShard), HeartbeatIntervalMS: messages.Millis(c.options.Heartbeat),
		Shards: c.plan.Shards.Shards(), TotalShards: c.settings.ShardCount,
		Protocol: messages.ProtocolVersion, Cluster: &id, ClusterCount: c.settings.ClusterCount(), MaxConcurrency: c.settings.MaxConcurrency,
		Features: []string{messages.FeatureHeartbeat, messages.FeaturePermits, messages.FeatureSessions, messages.FeatureShards, messages.FeatureDrain},
		Sessions: sessions, OnLost: c.options.OnLost, LostAfterMS: messages.Millis(c.options.LostAfter),
	}
	if c.options.TokenByHello {
		h.Token = c.settings.Token
	}
	c.send(h)
}

// identified is the instance's answer to a HELLO: to the first it begins to connect, to any other it is alive.
func (c *Cluster) identified(ctx actor.Context, p messages.Identify) {
	if p.ID != c.life.Instance {
		c.wrong(ctx, fmt.Sprintf("IDENTIFY bore the id %.60q, want the instance's own %q", string(p.ID), string(c.life.Instance)))
		return
	}
	if c.State() != string(messages.ClusterGreeting) {
		if !c.relinkBy.IsZero() {
			c.relinkBy = time.Time{}
			c.bringSessions(ctx) // the link may have been lost before they were brought
		}
		return
	}
	c.features, c.intents, c.shards = p.Features, p.Intents, map[int]*shard{}
	c.keep(ctx, p.Sessions, nil)
	for _, id := range c.plan.Shards.Shards() {
		c.shards[id] = &shard{state: messages.ShardIdle}
		if c.has(messages.FeaturePermits) {
			c.shards[id].deadline = time.Now().Add(c.options.ReadyTimeout)
		}
	}
	if !c.has(messages.FeaturePermits) {
		ctx.Send(c.house.Herald, messages.IdentifyUnpaced{Cluster: c.plan.ID})
	}
	if c.changed { // it was started otherwise than it would be now
		c.again = true
		c.drain(ctx)
		return
	}
	c.enter(ctx, messages.ClusterConnecting, c.connecting)
	c.bringSessions(ctx)
	c.arm(ctx)
	if c.adopted && !c.has(messages.FeatureShards) { // it said CONNECTED long ago, if ever
		c.connected(ctx)
	}
}

// connected is the word of an instance that does not report its shards: all of them are READY.
func (c *Cluster) connected(ctx actor.Context) {
	for _, id := range c.plan.Shards.Shards() {
		c.shardMoved(ctx, messages.ShardStatus{Shard: id, State: messages.ShardReady})
	}
}

// bringSessions asks the book what the instance may resume. The answer goes out with the second HELLO, on which an instance that announced sessions starts its shards;
// one that runs takes it for a probe.
func (c *Cluster) bringSessions(ctx actor.Context) {
	if c.has(messages.FeatureSessions) {
		ctx.Request(c.house.Sessions, messages.SessionsWanted{Cluster: c.plan.ID, Life: c.life.Instance, Shards: c.plan.Shards,
			ShardCount: c.settings.ShardCount, Intents: c.intents})
	}
}

// keep hands what the instance says of its sessions to the book. Only what it announced is believed.
func (c *Cluster) keep(ctx actor.Context, sessions []messages.Session, gone []int) {
	mine := slices.DeleteFunc(slices.Clone(sessions), func(s messages.Session) bool { return !c.plan.Shards.Contains(s.Shard) })
	if c.has(messages.FeatureSessions) && len(mine)+len(gone) > 0 {
		ctx.Send(c.house.Sessions, messages.KeepSessions{Cluster: c.plan.ID, Sessions: mine, Gone: gone})
	}
}

// wrong ends a process that answers as another bot would.
func (c *Cluster) wrong(ctx actor.Context, why string) {
	if c.dying() {
		return
	}
	c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseStartFailed, Err: why})
}

// failed is the bot's own word that it cannot start: it is about to exit, or to idle for ever where its author caught the error.
func (c *Cluster) failed(ctx actor.Context, p messages.Failure) {
	if p.EventID != c.life.Instance || c.dying() && c.exit == nil {
		return
	}
	f := &Failure{Cause: messages.CauseStartFailed, Err: fmt.Sprintf("%.500s", p.Error.Message)}
	if code := plan.FatalCode(p.Error); code != 0 {
		f.Cause, f.CloseCode = messages.CauseFatal, code
	}
	if c.exit != nil {
		c.why = f
		return
	}
	c.kill(ctx, 0, f)
}

func (c *Cluster) asked(ctx actor.Context, p messages.PermitAsk) {
	s := c.shards[p.Shard]
	switch {
	case c.dying():
		return
	case s == nil:
		c.send(messages.PermitGrant{EventID: p.EventID, Shard: p.Shard, RetryAfterMS: messages.Millis(c.options.ReadyTimeout),
			Reason: fmt.Sprintf("shard %d is not of cluster %d, which has %s", p.Shard, c.plan.ID, c.plan.Shards)})
		return
	}
	s.deadline = time.Time{}
	ctx.Request(c.house.Gate, messages.WantPermit{ID: c.permitID(p.EventID), Cluster: c.plan.ID, Shard: p.Shard, Cause: p.Cause})
}

// permit hands a permit on, or back where the bot cannot be reached.
func (c *Cluster) permit(ctx actor.Context, p messages.Permit) {
	_, event, ours := strings.Cut(p.ID, "/")
	if !ours || c.permitID(messages.Snowflake(event)) != p.ID {
		return // of a life before this one
	}
	sent := c.send(messages.PermitGrant{EventID: messages.Snowflake(event), Shard: p.Shard, Granted: p.Granted,
		UseWithinMS: messages.Millis(p.UseWithin), RetryAfterMS: messages.Millis(p.RetryAfter), Reason: p.Reason})
	if !sent && p.Granted {
		ctx.Send(c.house.Gate, messages.PermitUsed{ID: p.ID, Sent: false})
	}
}

// permitID is the gate's name for a bot's wish: unique, whatever event ids the bots use.
func (c *Cluster) permitID(event messages.Snowflake) string {
	return string(c.life.Instance) + "/" + string(event)
}

func (c *Cluster) shardMoved(ctx actor.Context, p messages.ShardStatus) {
	s := c.shards[p.Shard]
	if s == nil || c.dying() {
		return
	}
	moved := s.state != p.State
	s.state = p.State
	if p.CloseCode != 0 {
		c.closeCode = p.CloseCode
	}
	switch p.State {
	case messages.ShardReady, messages.ShardWaitingPermit, messages.ShardConnecting, messages.ShardDisconnected:
		s.deadline = time.Time{} // it is there, or waits for us, or for Discord
	case messages.ShardResuming:
		s.deadline = time.Now().Add(c.options.ReadyTimeout)
	}
	if !moved {
		return
	}
	ctx.Send(c.house.Herald, messages.ShardMoved{Cluster: c.plan.ID, Shard: p.Shard, State: p.State, CloseCode: p.CloseCode, LatencyMS: p.LatencyMS})
	if c.ready() == c.plan.Shards.Len() && c.State() == string(messages.ClusterConnecting) {
		c.up = time.Now()
		c.Enter(string(messages.ClusterServing), c.serving)
		if c.adopted {
			ctx.Send(c.house.Herald, messages.ClusterAdopted{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), PID: c.process.PID()})
		} else {
			ctx.Send(c.house.Herald, messages.ClusterReady{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), PID: c.process.PID(), TookMS: messages.Millis(c.up.Sub(c.started))})
		}
	}
	c.tell(ctx)
	c.arm(ctx)
}

// arm sets the one timeout to the next moment at which something must have happened. A dying cluster has another use for it.
func (c *Cluster) arm(ctx actor.Context) {
	if next := c.nextDeadline(); !next.IsZero() && !c.dying() {
		c.In(ctx, time.Until(next))
	}
}

func (c *Cluster) nextDeadline() time.Time {
	next := c.relinkBy
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, s := range c.shards {
		sooner(s.deadline)
	}
	if c.has(messages.FeatureHeartbeat) && c.link != nil {
		sooner(c.muteAt())
	}
	return next
}

// muteAt is when two heartbeats are missed.
func (c *Cluster) muteAt() time.Time {
	return c.lastBeat.Add(2*c.options.Heartbeat + c.options.Heartbeat/beatSlack)
}

// watch looks at what should have happened by now. A timer that comes late proves that we slept, not the bot: everything gets its time anew (DESIGN §3).
func (c *Cluster) watch(ctx actor.Context, t world.Timeout) {
	now := time.Now()
	switch late := now.Sub(t.Due); {
	case late > c.options.Heartbeat:
		ctx.Send(c.house.Herald, messages.ControlStalled{Actor: "cluster " + c.plan.ID.String(), LateMS: messages.Millis(late)})
		c.lastBeat = now
		for _, s := range c.shards {
			if !s.deadline.IsZero() {
				s.deadline = now.Add(c.options.ReadyTimeout)
			}
		}
		c.hello(ctx, nil)
	case !c.relinkBy.IsZero() && !now.Before(c.relinkBy):
		c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseIPCLost, Err: fmt.Sprintf("the socket closed and did not open again within %v: %v", relinkWithin, c.dialErr)})
		return
	case c.has(messages.FeatureHeartbeat) && c.link != nil && !now.Before(c.muteAt()):
		c.kill(ctx, syscall.SIGKILL, &Failure{Cause: messages.CauseMute, Err: fmt.Sprintf("no heartbeat for %v", now.Sub(c.lastBeat))})
		return
	}
	for _, id := range c.plan.Shards.Shards() {
		if s := c.shards[id]; !s.deadline.IsZero() && !now.Before(s.deadline) {
			c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseStartTimeout, Err: fmt.Sprintf("shard %d stayed %s for %v", id, s.state, c.options.ReadyTimeout), WaitedFor: c.waitsFor()})
			return
		}
	}
	c.arm(ctx)
}

// askToEnd asks the bot to end by itself, and says whether it could be asked.
func (c *Cluster) askToEnd() bool {
	if c.link == nil || c.shards == nil {
		return false
	}
	event := c.mint.New(time.Now(), messages.ManagerShard)
	if c.has(messages.FeatureDrain) {
		return c.send(messages.Drain{EventID: event, DeadlineMS: messages.Millis(c.options.StopGrace - c.options.StopGrace/4)})
	}
	return c.send(messages.Destroying{EventID: event})
}

// send sends one packet, and reports whether it is on its way; a link that refuses is about to end, which is told apart.
func (c *Cluster) send(p messages.FromManager) bool {
	if c.link == nil {
		return false
	}
	frame, err := codec.EncodeFromManager(p)
	if err != nil {
		panic(err) // a packet of our own making
	}
	return c.link.Send(frame) == nil
}

func (c *Cluster) has(feature string) bool { return slices.Contains(c.features, feature) }

// dying reports whether the end is decided.
func (c *Cluster) dying() bool {
	return c.exit != nil || c.State() == string(messages.ClusterKilling) || c.State() == string(messages.ClusterDraining)
}

// ready counts the shards that are READY.
func (c *Cluster) ready() int {
	n := 0
	for _, s := range c.shards {
		if s.state == messages.ShardReady {
			n++
		}
	}
	return n
}

// helloError is why the handshake did not happen in time.
func (c *Cluster) helloError() string {
	if c.link == nil {
		return fmt.Sprintf("socket %s did not open within %v: %v", c.life.Socket, c.options.HelloTimeout, c.dialErr)
	}
	return fmt.Sprintf("socket %s is open, but HELLO was not answered within %v of the start", c.life.Socket, c.options.HelloTimeout)
}

// waitsFor is what the start waits for, in one line.
func (c *Cluster) waitsFor() string {
	switch {
	case c.shards == nil && c.link == nil:
		return "the socket " + c.life.Socket
	case c.shards == nil:
		return "IDENTIFY, the answer to HELLO"
	case !c.up.IsZero():
		return ""
	}
	var missing []string
	for _, id := range c.plan.Shards.Shards() {
		if s := c.shards[id]; s.state != messages.ShardReady {
			missing = append(missing, fmt.Sprintf("shard %d (%s)", id, s.state))
		}
	}
	if len(missing) > 3 {
		missing = append(missing[:3], fmt.Sprintf("%d more", len(missing)-3))
	}
	return strings.Join(missing, ", ")
}
