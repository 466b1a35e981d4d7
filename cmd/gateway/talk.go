package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/ipc"
)

// This file is the host's link to its bot, for a bot on a library of the cluster protocol (PROTOCOL
// B6). The host behaves toward it as CONTROL does toward a cluster process, and passes requests and
// messages on. A bot that never listens is no trouble.

const (
	dialFirst = 20 * time.Millisecond // until the second attempt to reach the bot; then twice as long,
	dialMax   = time.Second           // up to this, and after a link that ended
	greetMax  = 30 * time.Second      // for the answer to HELLO
	beatEvery = 5 * time.Second       // between heartbeats of the bot, as HELLO asks for
	// for an IDENTIFY after a permit: the host paces the shards itself
	permitFor = time.Minute
	openMax   = 1024 // requests that the bot has not answered
)

// talk is the host's side of the link. Its methods are safe for concurrent use.
type talk struct {
	cluster *bot.Cluster
	log     *slog.Logger

	mu      sync.Mutex
	conn    *botConn                         // that answered HELLO; nil: none
	open    map[messages.Snowflake]time.Time // requests for the bot, and when they are overdue
	dropped int                              // messages, while there was no link
}

// botConn is one connection to the bot.
type botConn struct {
	talk    *talk
	link    transport.Link
	manager messages.Snowflake
	parcel  ipc.Parcel // of the frame that is read
	mint    messages.Mint
	greeted chan struct{} // closed by IDENTIFY
	wrong   int           // frames that could not be read

	features []string // of IDENTIFY
}

func newTalk(log *slog.Logger) *talk {
	return &talk{log: log, open: map[messages.Snowflake]time.Time{}}
}

// serve links to the bot that listens at a socket, again and again, until ctx ends. manager is the
// one of which the bot takes HELLO.
func (t *talk) serve(ctx context.Context, socket string, manager messages.Snowflake) {
	if socket == "" {
		return // a bot of an earlier version's host
	}
	refused := false
	for pause := dialFirst; ctx.Err() == nil; pause = min(2*pause, dialMax) {
		link, err := dial(ctx, socket)
		switch {
		case err == nil:
			t.speak(ctx, link, manager)
			pause = dialMax
		case !ipc.Unopened(err) && !refused && ctx.Err() == nil:
			refused = true
			t.log.Warn("no link to what listens at the bot's socket", "socket", socket, "err", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// dial opens a link.
func dial(ctx context.Context, socket string) (transport.Link, error) {
	type dialled struct {
		link transport.Link
		err  error
	}
	done := make(chan dialled, 1)
	cancel := ipc.Dial(socket, func(l transport.Link, err error) { done <- dialled{l, err} })
	select {
	case d := <-done:
		return d.link, d.err
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
}

// speak holds a conversation until the link or ctx ends.
func (t *talk) speak(ctx context.Context, link transport.Link, manager messages.Snowflake) {
	c := &botConn{talk: t, link: link, manager: manager, mint: messages.Mint{Worker: uint32(os.Getpid())}, greeted: make(chan struct{})}
	ended := make(chan error, 1)
	c.hello(nil)
	link.Receive(c.frame, func(err error) { ended <- err })
	late := time.NewTimer(greetMax)
	defer late.Stop()
	greeted := c.greeted
	for {
		select {
		case <-greeted:
			greeted = nil
			late.Stop()
		case <-late.C:
			t.log.Warn("the process at the bot's socket does not answer HELLO", "within", greetMax.String())
			link.Close(0, "HELLO is not answered")
		case <-ctx.Done():
			link.Close(0, "the bot's run ends")
			t.lost(c)
			return
		case err := <-ended:
			t.lost(c)
			t.log.Info("link to the bot ended", "err", err)
			return
		}
	}
}

// hello sends HELLO. sessions is nil in the first one: the host keeps Discord's sessions itself, so
// there are none to offer.
func (c *botConn) hello(sessions *[]messages.Session) {
	of := c.talk.cluster
	h := messages.Hello{
		ID: c.manager, EventID: c.event(), HeartbeatIntervalMS: messages.Millis(beatEvery), Shards: of.Shards(), TotalShards: of.ShardCount(),
		Protocol: messages.ProtocolVersion, Cluster: new(of.ID()), ClusterCount: of.Count(), MaxConcurrency: of.MaxConcurrency(),
		Sessions: sessions, OnLost: messages.OnLostAutonomous,
	}
	if os.Getenv("DISCORD_TOKEN") == "" {
		h.Token = of.Token()
	}
	c.send(h)
}

func (c *botConn) event() messages.Snowflake {
	c.talk.mu.Lock()
	defer c.talk.mu.Unlock()
	return c.mint.New(time.Now(), messages.ManagerShard)
}

// send sends a packet. A link that has ended reports that by itself.
func (c *botConn) send(m messages.FromManager) {
	frame, err := ipc.EncodeFromManager(m)
	if err == nil {
		err = c.link.Send(frame)
	}
	if err != nil && !errors.Is(err, transport.ErrEnded) {
		c.talk.log.Error("packet to the bot is lost", "packet", fmt.Sprintf("%T", m), "err", err)
	}
}

// frame handles one frame of the bot.
func (c *botConn) frame(frame []byte) {
	defer c.link.Ack()
	operation, err := c.parcel.Read(frame)
	if operation {
		c.operation(&c.parcel)
		return
	}
	var m messages.FromInstance
	if err == nil {
		m, err = ipc.DecodeFromInstance(bytes.Clone(frame))
	}
	if err != nil {
		if c.wrong++; c.wrong == 1 {
			c.talk.log.Warn("unreadable packet of the bot; further ones are ignored in silence", "err", err)
		}
		return
	}
	c.packet(m)
}

// packet handles a packet of the bot. What it reports about its shards the host knows better.
func (c *botConn) packet(m messages.FromInstance) {
	switch m := m.(type) {
	case messages.Identify:
		c.identified(m)
	case messages.IPCBeat:
		c.send(messages.IPCBeat{ID: c.manager, EventID: m.EventID})
	case messages.PermitAsk:
		c.send(messages.PermitGrant{EventID: m.EventID, Shard: m.Shard, Granted: true, UseWithinMS: messages.Millis(permitFor)})
	case messages.Failure:
		c.talk.log.Error("the bot reports that it cannot go on", "err", fmt.Sprintf("%.1000s", m.Error.Message), "code", m.Error.Code)
	case messages.InvalidSession:
		c.talk.log.Warn("the bot takes another manager for its own", "manager", c.manager)
	}
}

// identified handles the answer to HELLO. The first one makes this the link of the bot.
func (c *botConn) identified(m messages.Identify) {
	t := c.talk
	select {
	case <-c.greeted:
		return
	default:
	}
	if slices.Contains(m.Features, messages.FeatureSessions) {
		c.hello(&[]messages.Session{})
	}
	t.mu.Lock()
	c.features, t.conn = m.Features, c
	dropped := t.dropped
	t.dropped = 0
	t.mu.Unlock()
	close(c.greeted)
	t.log.Info("linked to the bot", "sdk", m.SDK, "features", m.Features)
	if dropped > 0 {
		t.log.Warn("messages of other clusters were dropped: the bot was not there", "messages", dropped)
	}
}

// operation passes on what the bot has for other clusters, and refuses the rest.
func (c *botConn) operation(p *ipc.Parcel) {
	event := bytes.Clone(p.Event())
	request := p.T == messages.TRequest
	switch {
	case p.Answer && !request, p.Op == messages.IPCEmergency, p.T == messages.TRestLimitsSync:
	case p.Answer && !c.talk.answers(messages.Snowflake(event)): // nobody waits for it
	case request, p.T == messages.TMessage:
		err := c.talk.cluster.Pass(p)
		switch {
		case err == nil:
		case p.Answer:
			c.talk.log.Warn("answer of the bot is lost", "err", err)
		default:
			c.refuse(ipc.Refusal(p.T, event, err.Error()))
		}
	default:
		const why = "a bot behind a gateway host sends REQUEST and MESSAGE alone"
		if p.Op == messages.IPCCacheOperate {
			c.refuse(ipc.Reply{Op: p.Op, Event: event, Success: new(false), Error: why}.Encode())
		} else {
			c.refuse(ipc.Refusal(p.T, event, why))
		}
	}
}

// refuse sends an error. One that the bot does not read is lost: the bot has asked for too much.
func (c *botConn) refuse(frame []byte) { _ = c.link.Offer(frame) }

// answers reports whether the bot owes an answer to a request, and takes it as given.
func (t *talk) answers(event messages.Snowflake) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, open := t.open[event]
	delete(t.open, event)
	return open
}

// errNoBot answers a request for a bot without a link.
var errNoBot = errors.New("its bot takes no requests: it starts, or uses no library of the cluster protocol")

// deliver passes on a packet of other clusters to the bot. The cluster is locked.
func (t *talk) deliver(r bot.Relayed) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.conn == nil && r.Message:
		t.dropped++
		return errNoBot
	case t.conn == nil:
		return errNoBot
	case !r.Request:
		return t.conn.link.Offer(r.Frame)
	}
	now := time.Now()
	if len(t.open) >= openMax {
		maps.DeleteFunc(t.open, func(_ messages.Snowflake, due time.Time) bool { return now.After(due) })
	}
	if len(t.open) >= openMax {
		return fmt.Errorf("%d requests wait for its bot: want fewer at a time", len(t.open))
	}
	if err := t.conn.link.Offer(r.Frame); err != nil {
		return fmt.Errorf("its bot does not take it: %w", err)
	}
	t.open[r.Event] = now.Add(r.Within)
	return nil
}

// lost handles the end of a link: the requests that wait for the bot are answered with an error.
func (t *talk) lost(c *botConn) {
	t.mu.Lock()
	if t.conn != c {
		t.mu.Unlock()
		return
	}
	open := t.open
	t.conn, t.open = nil, map[messages.Snowflake]time.Time{}
	t.mu.Unlock()
	for event := range open {
		t.cluster.Refuse(event, errors.New("its bot went away before it answered"))
	}
}

// drain orders a bot that announced it to drain until a deadline, and reports whether it did.
func (t *talk) drain(deadline time.Time) bool {
	t.mu.Lock()
	c := t.conn
	t.mu.Unlock()
	if c == nil || !slices.Contains(c.features, messages.FeatureDrain) {
		return false
	}
	c.send(messages.Drain{EventID: c.event(), DeadlineMS: messages.Millis(max(0, time.Until(deadline)))})
	return true
}
