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

// ipc is a Cluster's conversation with its process: Discordoo's packets and ours (PROTOCOL A3, B2).
type ipc struct {
	link     transport.Link // nil: not open
	seated   transport.Link // the last one on which HELLO was answered
	features []string       // what the instance announced
	intents  int64          // and with which intents it identifies
	shards   map[int]*shard
	lastBeat time.Time // the last sign of life that was owed
	vouched  bool      // it was an answer to HELLO on another link, which counts once
	doubted  time.Time // when two heartbeats were found missing
	probes   int       // HELLOs since then, to an instance without heartbeats
	relinkBy time.Time // when a lost socket must be back; zero: it is there
	relinks  int       // times that it was lost since the last heartbeat
	dialErr  error     // of the last try
	dropped  int       // packets that could not be read on this link

	closeCode int            // the last one a shard reported
	outage    bool           // of Discord: nobody is late
	startBy   time.Time      // when a bot that reports no shards must be connected; zero: it is, or reports them
	silence   error          // why its probe, or its rule, was not answered last
	lease     messages.Lease // until when the bot may serve
}

func (c *Cluster) dial(ctx actor.Context) {
	send, run := world.Sender(ctx), c.thisRun()
	c.cancel = c.W.Dial(transport.Target{URL: "unix:" + c.life.Socket}, func(l transport.Link, err error) { send(socketOpened{run, l, err}) })
}

func (c *Cluster) opened(ctx actor.Context, m socketOpened) {
	if c.dying() { // its end closed the link
		return
	}
	if c.dialErr = m.err; m.err != nil {
		c.After(ctx, redialEvery, redial{c.thisRun()})
		return
	}
	c.cancel, c.link, c.dropped = nil, m.link, 0
	if !c.has(messages.FeatureHeartbeat) { // a bot that beats is alive by that, however often it opens its socket
		c.lastBeat, c.probes = time.Now(), 0
	}
	c.converse(ctx, m.link)
	if c.successor { // it has booted; the one before it may drain now
		c.Enter("booted", c.waitingToProceed)
		c.In(ctx, bootedFor)
		ctx.Request(ctx.Parent(), messages.Booted{Cluster: c.plan.ID})
		return
	}
	if c.adopted && c.State() == string(messages.ClusterGreeting) {
		c.In(ctx, c.muteAfter())
	}
	c.hello(ctx, nil)
}

// greetEvery is how often a bot that did not answer HELLO gets another one (PROTOCOL A3.1).
const greetEvery = time.Second

// greetAgain is the time for that.
type greetAgain struct{ ofRun }

// greet says HELLO where there is a link, and once a second again until it is answered.
func (c *Cluster) greet(ctx actor.Context) {
	c.hello(ctx, nil)
	c.After(ctx, greetEvery, greetAgain{c.thisRun()})
}

// waitingToProceed is a successor's wait for the end of the one before it.
func (c *Cluster) waitingToProceed(ctx actor.Context) {
	switch ctx.Message().(type) {
	case messages.Proceed:
		c.successor = false
		c.inherit(ctx)
		c.enter(ctx, messages.ClusterGreeting, c.greeting)
		c.In(ctx, c.helloTimeout())
		c.greet(ctx)
	case world.Timeout:
		c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseStartTimeout, Err: "the one before it did not end in time"})
	default:
		c.running(ctx)
	}
}

// bootedFor is how long a bot waits for HELLO (PROTOCOL A3.6), less a margin: the one before it has
// to have drained by then.
const bootedFor = 25 * time.Second

func (c *Cluster) closed(ctx actor.Context, m socketEnded) {
	if m.link != c.link {
		return
	}
	c.link, c.dialErr = nil, m.err
	if errors.Is(m.err, transport.ErrTooLarge) { // the bot's own mistake, and its author's to hear of
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

// frame reads one packet. What cannot be read is dropped, and said once a link.
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
		if !c.vouched {
			c.lastBeat, c.vouched = now, c.shards != nil && c.has(messages.FeatureHeartbeat)
		}
		c.probes = 0
		c.greeted(ctx, p)
		c.identified(ctx, p)
	case messages.IPCBeat:
		c.lastBeat, c.vouched, c.relinks = now, false, 0
		c.send(messages.IPCBeat{ID: c.life.Manager, EventID: p.EventID, LeaseMS: c.leaseLeft(), Lapsed: c.lease.Lapsed})
	case messages.InvalidSession:
		c.wrong(ctx, fmt.Sprintf("the bot refused HELLO: it takes another manager than %s for its own", c.life.Manager))
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
		if p.EventID == c.life.Instance && !c.has(messages.FeatureShards) {
			c.connected(ctx)
		}
	case messages.Failure:
		c.failed(ctx, p)
	case messages.InstanceSessions:
		c.keep(ctx, p.Sessions, p.Gone)
	case messages.Drained:
		c.keep(ctx, p.Sessions, nil)
		c.passSessions(ctx) // its last word
	case messages.Operation: // the Router has those it knows
		if p.Op == messages.IPCHello { // which no instance says, but was a heartbeat once (PROTOCOL A1)
			c.wrong(ctx, "the bot answers HELLO with op 2: it is a Discordoo older than v0.11, whose IPC has other numbers; v0.11 and later work")
		}
	case messages.Destroying:
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
		Sessions: sessions, OnLost: c.options.OnLost, LostAfterMS: messages.Millis(c.options.LostAfter), LeaseMS: c.leaseLeft(),
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
	case c.served: // it said CONNECTED long ago
		c.connected(ctx)
	default:
		if c.adopted && !c.options.asksItself() {
			c.holdAnew(ctx)
		}
		c.timed(ctx, plan.StockStart(c.plan.Shards))
	}
}

// bringSessions asks the book what the instance may resume. The answer goes out with the second HELLO, on which an instance that announced sessions starts its shards;
// one that runs takes it for a probe.
func (c *Cluster) bringSessions(ctx actor.Context) {
	if c.has(messages.FeatureSessions) {
		ctx.Request(c.addresses.Sessions, messages.SessionsWanted{Cluster: c.plan.ID, Run: c.life.Instance, Shards: c.plan.Shards,
			ShardCount: c.settings.ShardCount, Intents: c.intents})
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

// askToEnd asks the bot to end by itself, and says whether it could be asked.
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

// leaseLeft is how long the bot may serve, as its packets say it: 0 for ever, and never less than a moment where there is a lease.
func (c *Cluster) leaseLeft() messages.Milliseconds {
	if c.lease.Until.IsZero() {
		return 0
	}
	return max(messages.Millis(messages.Left(c.lease.Until)), 1)
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

// helloHints is what an operator may have missed, by what he said the bot is.
var helloHints = map[messages.Protocol]string{
	messages.ProtocolSDK:       "; a stock Discordoo needs cluster.protocol: discordoo, a bot that knows nothing of Discluster env",
	messages.ProtocolDiscordoo: "; it listens at cluster.socket_prefix and its id, if it is Discordoo v0.11 or later",
}

// helloError is why the handshake did not happen in time.
func (c *Cluster) helloError() string {
	if c.link == nil {
		return fmt.Sprintf("socket %s did not open within %v: %v%s", c.life.Socket, c.helloTimeout(), c.dialErr, helloHints[c.options.Protocol])
	}
	return fmt.Sprintf("socket %s is open, but HELLO was not answered within %v of the start", c.life.Socket, c.helloTimeout())
}
