package cluster

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
)

// ipc is the state of a Cluster's IPC with its process, in Discordoo's packets and CONTROL's
// (PROTOCOL A3, B2).
type ipc struct {
	link        transport.Link // nil: not open
	greetedOn   transport.Link // the latest link on which HELLO was answered
	features    []string       // that the instance announced
	intents     int64          // with which the instance identifies
	shards      map[int]*shard
	lastBeat    time.Time // the latest expected sign of life
	beatByHello bool      // lastBeat was an answer to HELLO on a new link, which counts once
	missedAt    time.Time // when two heartbeats were found missing
	probes      int       // HELLOs since lastBeat, to an instance without heartbeats
	relinkBy    time.Time // when a lost socket must be back; zero: it is open
	relinks     int       // losses of the socket since the last heartbeat
	dialErr     error     // of the last dial
	dropped     int       // unreadable packets on this link

	closeCode  int            // the latest that a shard reported
	outage     bool           // of Discord: nothing is late
	startBy    time.Time      // when a bot that reports no shards must be connected; zero: it is, or reports them
	silence    error          // why the last probe, or ready rule, failed
	early      bool           // the ready rule was true too soon
	leftSilent bool           // the process never opened its socket, and is left running
	lease      messages.Lease // until when the bot may serve
}

func (c *Cluster) dial(ctx actor.Context) {
	send, run := world.Sender(ctx), c.thisRun()
	c.cancel = c.W.Dial(transport.Target{URL: "unix:" + c.run.Socket}, func(l transport.Link, err error) { send(socketOpened{run, l, err}) })
}

func (c *Cluster) opened(ctx actor.Context, m socketOpened) {
	if c.dying() { // the link is closed already
		return
	}
	if c.dialErr = m.err; m.err != nil {
		every := redialEvery
		if c.leftSilent {
			every = greetEvery
		}
		c.After(ctx, every, redial{c.thisRun()})
		return
	}
	c.spoken.Store(true)
	c.cancel, c.link, c.dropped = nil, m.link, 0
	if !c.has(messages.FeatureHeartbeat) { // a bot with heartbeats is alive by those alone
		c.lastBeat, c.probes = time.Now(), 0
	}
	c.converse(ctx, m.link)
	if c.successor { // it has booted; the old process may drain now
		c.Enter("booted", c.waitingToProceed)
		c.In(ctx, bootedFor)
		ctx.Request(ctx.Parent(), messages.Booted{Cluster: c.plan.ID})
		return
	}
	if c.adopted && c.State() == string(messages.ClusterGreeting) {
		c.In(ctx, c.muteAfter())
	}
	c.hello(nil)
}

// greetEvery is the pause between two HELLOs to a bot that does not answer (PROTOCOL A3.1).
const greetEvery = time.Second

// greetAgain is the timer of that.
type greetAgain struct{ ofRun }

// greet sends HELLO if there is a link, and repeats it every greetEvery until it is answered.
func (c *Cluster) greet(ctx actor.Context) {
	c.hello(nil)
	c.After(ctx, greetEvery, greetAgain{c.thisRun()})
}

// waitingToProceed is the state of a successor until the old process has ended.
func (c *Cluster) waitingToProceed(ctx actor.Context) {
	switch ctx.Message().(type) {
	case messages.Proceed:
		c.successor = false
		c.inherit(ctx)
		c.enter(ctx, messages.ClusterGreeting, c.greeting)
		c.In(ctx, c.helloTimeout())
		c.greet(ctx)
	case world.Timeout:
		c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseStartTimeout, Err: "the previous process did not end in time"})
	default:
		c.running(ctx)
	}
}

// bootedFor is the time for which a bot waits for HELLO (PROTOCOL A3.6), less a margin. The old
// process must have drained by then.
const bootedFor = 25 * time.Second

func (c *Cluster) closed(ctx actor.Context, m socketEnded) {
	if m.link != c.link {
		return
	}
	c.link, c.dialErr = nil, m.err
	if errors.Is(m.err, transport.ErrTooLarge) { // the bot's mistake: its author needs to know
		c.misread(ctx, m.err)
	}
	if c.dying() {
		return
	}
	if c.State() == string(messages.ClusterConnecting) || c.State() == string(messages.ClusterServing) {
		if c.relinks++; c.relinkBy.IsZero() {
			c.relinkBy = time.Now().Add(relinkWithin)
		}
		c.arm(ctx)
	}
	c.After(ctx, redialEvery, redial{c.thisRun()})
}

// frame reads one packet. It drops an unreadable one, and reports the first of each link.
func (c *Cluster) frame(ctx actor.Context, m socketFrame) {
	m.link.Ack()
	if m.link != c.link {
		return
	}
	p, err := messages.FromInstance(nil), m.bad
	if err == nil {
		p, err = codec.DecodeFromInstance(m.frame)
	}
	if err != nil {
		if c.dropped++; c.dropped == 1 {
			c.misread(ctx, err)
		}
		return
	}
	c.packet(ctx, p)
}

func (c *Cluster) packet(ctx actor.Context, p messages.FromInstance) {
	now := time.Now()
	switch p := p.(type) {
	case messages.Identify:
		if !c.beatByHello {
			c.lastBeat, c.beatByHello = now, c.shards != nil && c.has(messages.FeatureHeartbeat)
		}
		c.probes = 0
		c.greeted(ctx, p)
		c.identified(ctx, p)
	case messages.IPCBeat:
		c.lastBeat, c.beatByHello, c.relinks = now, false, 0
		c.send(messages.IPCBeat{ID: c.run.Manager, EventID: p.EventID, LeaseMS: c.leaseLeft(), Lapsed: c.lease.Lapsed})
	case messages.InvalidSession:
		c.wrong(ctx, fmt.Sprintf("the bot refused HELLO: it takes another manager than %s for its own", c.run.Manager))
	case messages.PermitAsk:
		c.asked(ctx, p)
	case messages.PermitSent:
		c.permitSent(ctx, p)
		if s := c.shards[p.Shard]; s != nil && p.Sent {
			s.deadline = now.Add(c.readyTimeout())
			c.arm(ctx)
		}
	case messages.ShardStatus:
		c.shardMoved(ctx, p)
	case messages.Connected:
		if p.EventID == c.run.Instance && !c.has(messages.FeatureShards) {
			c.connected(ctx)
		}
	case messages.Failure:
		c.failed(ctx, p)
	case messages.ChildDied:
		c.childDied(ctx, p)
	case messages.ChildSilent:
		c.childSilent(ctx, p)
	case messages.ChildTrouble:
		c.childTrouble(ctx, p)
	case messages.Roll:
		ctx.Send(c.addresses.Events, messages.OrderGiven{Order: messages.OrderRolling, By: fmt.Sprintf("the bot of cluster %s", c.plan.ID)})
		ctx.Send(c.addresses.Clusters, messages.RollingRestart{})
	case messages.InstanceSessions:
		c.keep(ctx, p.Sessions, p.Gone)
	case messages.Drained:
		c.keep(ctx, p.Sessions, nil)
		c.passSessions(ctx) // no packet follows
	case messages.Operation: // the Router takes the operations that it knows
		if p.Op == messages.IPCHello { // op 2, which was the heartbeat of older versions (PROTOCOL A1)
			c.wrong(ctx, "the bot answers HELLO with op 2: it is a Discordoo older than v0.11, whose IPC has other numbers; v0.11 and later work")
		}
	case messages.Destroying:
	}
}

// hello sends HELLO: to a new process, after a lost link, or as a probe. sessions is nil except in
// the second HELLO.
func (c *Cluster) hello(sessions *[]messages.Session) {
	id := c.plan.ID
	h := messages.Hello{
		ID: c.run.Manager, EventID: c.mint.New(time.Now(), messages.ManagerShard), HeartbeatIntervalMS: messages.Millis(c.options.Heartbeat),
		Shards: c.plan.Shards.Shards(), TotalShards: c.settings.ShardCount,
		Protocol: messages.ProtocolVersion, Cluster: &id, ClusterCount: c.settings.ClusterCount(), MaxConcurrency: c.settings.MaxConcurrency,
		Features: []string{messages.FeatureHeartbeat, messages.FeaturePermits, messages.FeatureSessions, messages.FeatureShards, messages.FeatureDrain, messages.FeatureChild, messages.FeatureTrouble,
			messages.FeatureRoll},
		Sessions: sessions, OnLost: c.options.OnLost, LostAfterMS: messages.Millis(c.options.LostAfter), LeaseMS: c.leaseLeft(),
	}
	if c.options.TokenByHello {
		h.Token = c.settings.Token
	}
	c.send(h)
}

// identified takes the instance's answer to HELLO. After the first one the instance connects; any
// later one is a sign of life.
func (c *Cluster) identified(ctx actor.Context, p messages.Identify) {
	if p.ID != c.run.Instance {
		c.wrong(ctx, fmt.Sprintf("IDENTIFY bore the id %.60q, want the instance's own %q", string(p.ID), string(c.run.Instance)))
		return
	}
	if c.State() != string(messages.ClusterGreeting) {
		if !c.relinkBy.IsZero() {
			c.relinkBy = time.Time{}
			c.bringSessions(ctx) // the link may have been lost before the instance got them
		}
		return
	}
	c.features, c.intents, c.shards = p.Features, p.Intents, map[int]*shard{}
	c.keep(ctx, p.Sessions, nil)
	for _, id := range c.plan.Shards.Shards() {
		c.shards[id] = &shard{state: messages.ShardIdle}
		if c.has(messages.FeaturePermits) {
			c.shards[id].deadline = time.Now().Add(c.readyTimeout())
		}
		if c.has(messages.FeatureShards) {
			c.shards[id].noteDown(time.Now())
		}
	}
	if !c.has(messages.FeaturePermits) && c.options.asksItself() {
		ctx.Send(c.addresses.Events, messages.IdentifyUnpaced{Cluster: c.plan.ID})
	}
	if c.changed {
		c.replace(ctx)
		return
	}
	c.enter(ctx, messages.ClusterConnecting, c.connecting)
	c.bringSessions(ctx)
	c.arm(ctx)
	switch {
	case c.has(messages.FeatureShards):
	case c.served: // it sent CONNECTED before
		c.connected(ctx)
	default:
		if c.adopted && !c.options.asksItself() {
			c.holdAgain(ctx)
		}
		c.setStartDeadline(ctx, plan.StockStart(c.plan.Shards))
	}
}

// bringSessions requests the sessions that the instance may resume. The second HELLO carries the
// answer: an instance that announced sessions starts its shards by it, and one whose shards run
// takes it as a probe.
func (c *Cluster) bringSessions(ctx actor.Context) {
	if c.has(messages.FeatureSessions) {
		ctx.Request(c.addresses.Sessions, messages.SessionsWanted{Cluster: c.plan.ID, Run: c.run.Instance, Shards: c.plan.Shards,
			ShardCount: c.settings.ShardCount, Intents: c.intents})
	}
}

// wrong kills a process whose answer does not fit.
func (c *Cluster) wrong(ctx actor.Context, why string) {
	if c.dying() {
		return
	}
	c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseStartFailed, Err: why})
}

// failed takes the bot's report that it cannot start. The bot is about to exit, or idles forever if
// its author caught the error.
func (c *Cluster) failed(ctx actor.Context, p messages.Failure) {
	if p.EventID != c.run.Instance || c.dying() && c.exit == nil {
		return
	}
	f := &Failure{Cause: messages.CauseStartFailed, Err: fmt.Sprintf("%.500s", c.W.Secrets.Text(p.Error.Message))}
	if code := plan.FatalCode(p.Error); code != 0 {
		f.Cause, f.CloseCode = messages.CauseFatal, code
	}
	if c.exit != nil {
		c.why = f
		return
	}
	c.kill(ctx, 0, f)
}

// askToEnd asks the bot to end by itself, and reports whether the packet was sent.
func (c *Cluster) askToEnd(final bool, grace time.Duration) bool {
	if c.shards == nil { // it did not answer HELLO
		return false
	}
	event := c.mint.New(time.Now(), messages.ManagerShard)
	if c.has(messages.FeatureDrain) && !final {
		return c.send(messages.Drain{EventID: event, DeadlineMS: messages.Millis(grace - grace/4)})
	}
	return c.send(messages.Destroying{EventID: event})
}

// leaseLeft returns how long the bot may serve: 0 without a lease, else at least 1 ms.
func (c *Cluster) leaseLeft() messages.Milliseconds {
	if c.lease.Until.IsZero() {
		return 0
	}
	return max(messages.Millis(messages.Left(c.lease.Until)), 1)
}

// send sends one packet, and reports whether the link took it. A link that refuses is about to end,
// which is reported separately.
func (c *Cluster) send(p messages.FromManager) bool {
	if c.link == nil {
		return false
	}
	frame, err := codec.EncodeFromManager(p)
	if err != nil {
		panic(err) // CONTROL made the packet
	}
	return c.link.Send(frame) == nil
}

func (c *Cluster) has(feature string) bool { return slices.Contains(c.features, feature) }

// dying reports whether the process is dead or being ended.
func (c *Cluster) dying() bool {
	return c.exit != nil || c.State() == string(messages.ClusterKilling) || c.State() == string(messages.ClusterDraining)
}

// helloHints has likely mistakes of the operator, by cluster.protocol.
var helloHints = map[messages.Protocol]string{
	messages.ProtocolSDK:       "; a bot without CONTROL's SDK needs cluster.protocol: gateway, a stock Discordoo discordoo",
	messages.ProtocolDiscordoo: "; it listens at cluster.socket_prefix and its id, if it is Discordoo v0.11 or later",
}

// helloError returns why the handshake did not happen in time.
func (c *Cluster) helloError() string {
	if c.link == nil {
		return fmt.Sprintf("socket %s did not open within %v: %v%s", c.run.Socket, c.helloTimeout(), c.dialErr, helloHints[c.options.Protocol])
	}
	return fmt.Sprintf("socket %s is open, but HELLO was not answered within %v of the start", c.run.Socket, c.helloTimeout())
}
