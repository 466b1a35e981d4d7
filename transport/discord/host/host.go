// Package host is the gateway of one cluster: Discord's sessions on one side, the bot's processes
// on the other, and a log of each session on disk from one run of the host to the next.
//
//	Discord ◀── client ──▶ local.Shard ◀── local.Server ──▶ the bot
//	            permits      snapshot
//
// It starts no process and knows nothing of CONTROL: a Shard of the SDK brings permits and takes
// states. Its user reports when the bot's process begins and ends.
package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/cache"
	"github.com/discluster/control/transport/discord/client"
	"github.com/discluster/control/transport/discord/local"
	"github.com/discluster/control/transport/discord/snapshot"
)

// Shard is the SDK's side of a shard.
type Shard interface {
	ID() int
	Session() *messages.Session // that this shard may resume; nil: none
	Permit(ctx context.Context, cause messages.IdentifyCause) (client.Permit, error)
	SetSession(messages.Session)
	SessionGone()
	State(state messages.ShardState, closeCode int)
	Figures(latency time.Duration, guilds int, events int64)
	// Waiting takes how many events wait for the bot's acknowledgement, the age of the oldest, and
	// for how long a deaf shard has had no event.
	Waiting(events int, oldest, deaf time.Duration)
	Memory(messages.HostMemory) // what is kept for the bot
	Reconnect() <-chan struct{}
}

// Config is one cluster's.
type Config struct {
	Token      messages.Secret
	Path       string // of the gateway, where a predecessor's bot knows it; "": a new one
	Shards     []int
	ShardCount int
	API        string // base of Discord's REST API, "https://discord.com"
	Dir        string // where the logs of sessions are
	Memory     int    // bytes of guilds and waiting events of all shards; 0: 32 MiB for each
	Log        *slog.Logger
	Lapsed     func() bool // see client.Config
	// Trouble takes what goes wrong with the bot, or with what is kept for it; nil: only the log has
	// it. It must not block, nor call the host.
	Trouble func(messages.ChildTrouble)
	// Grows takes the bytes that guilds and waiting events may take, whenever they are other ones:
	// more than Memory where the guilds alone do. nil: not needed
	Grows func(bytes int)

	// Gateway, Dial and Rand are client.Config's. Gateway is asked once for all shards, until it
	// answers.
	Gateway func(ctx context.Context) (url string, err error)                    // nil: API is asked
	Dial    func(ctx context.Context, network, address string) (net.Conn, error) // nil: a net.Dialer's
	Rand    func(shard int) float64                                              // in [0,1); nil: math/rand's

	ping, silent time.Duration // local.ServerConfig.Ping, silentMax; tests have shorter ones
}

const (
	probeEvery   = 5 * time.Second        // between two heartbeats asked of the bot
	heartbeat    = 20 * time.Second       // heartbeat_interval: a library that is not asked acknowledges by it
	commitEvery  = time.Second            // how old a snapshot may be: what came after, the bot gets again
	holdLook     = 100 * time.Millisecond // between two looks whether a new bot has its guilds
	quietLook    = 10 * time.Millisecond  // between two looks whether a bot that must stop has handled its events
	holdMax      = time.Minute            // events wait for other shards no longer than that
	silentMax    = 10 * time.Second       // without an answer to pings a process hangs
	stallAllowed = 2 * time.Second        // a look that comes later than that proves that we were suspended
)

// Host is the gateway of one cluster. Its methods may be called from anywhere.
type Host struct {
	cfg    Config
	server *local.Server
	shards map[int]*shard

	asking  chan struct{} // holds one while a shard asks for all
	gateway string        // Discord's, once known; of the shard that asks

	mu       sync.Mutex
	looked   time.Time // when Hung looked last
	awake    time.Time // since when this process was not suspended
	holding  func()    // ends the hold of now
	stopping chan struct{}
	stop     Stop

	asleep atomic.Int32  // shards whose Serve has not begun
	begun  chan struct{} // closed: there are none

	budget budget // used by look alone
	unkept unkept
	floods floods
}

// Stop ends the clients: their handlers have until the deadline, and a final one ends their
// sessions, too.
type Stop struct {
	Deadline time.Time
	Final    bool
}

// shard is one shard's half of the host.
type shard struct {
	id       int
	log      *snapshot.Log // used under the shard's lock of local.Server; nil before Serve
	found    snapshot.State
	identify chan local.Identify // the bot's last one, if it asks for a new session

	latency atomic.Int64
	guilds  atomic.Int64 // -1: not known
	events  atomic.Int64
	heard   atomic.Int64 // events without RESUMED, which comes to a deaf shard, too
	ready   atomic.Bool
	sdk     atomic.Pointer[Shard] // while it is served

	mu      sync.Mutex
	client  *client.Client   // of now; nil: none
	session messages.Session // as READY began it
}

// New starts a gateway on a listener of the loopback interface. It does not touch the folder, which
// may be another host's until Serve.
func New(l net.Listener, cfg Config) (*Host, error) {
	cfg.silent = cmp.Or(cfg.silent, silentMax)
	h := &Host{cfg: cfg, shards: map[int]*shard{}, looked: time.Now(), awake: time.Now(), stopping: make(chan struct{})}
	h.asking = make(chan struct{}, 1)
	h.holding = func() {}
	h.budget = budget{most: cmp.Or(cfg.Memory, memoryEach*len(cfg.Shards)), shards: len(cfg.Shards)}
	h.budget.share(0)
	if cfg.Gateway == nil {
		h.cfg.Gateway = func(ctx context.Context) (string, error) {
			return client.GatewayURL(ctx, cfg.API, cfg.Token)
		}
	}
	h.asleep.Store(int32(len(cfg.Shards)))
	h.begun = make(chan struct{})
	api, err := url.Parse(cfg.API)
	if err != nil {
		return nil, fmt.Errorf("api %q: %w", cfg.API, err)
	}
	for _, id := range cfg.Shards {
		s := &shard{id: id, identify: make(chan local.Identify, 1)}
		s.guilds.Store(-1)
		h.shards[id] = s
	}
	h.server, err = local.Serve(newLate(l, h.begun), local.ServerConfig{
		Token: cfg.Token, Path: cfg.Path, Shards: cfg.Shards, ShardCount: cfg.ShardCount, API: api,
		Heartbeat: heartbeat, Ping: cfg.ping,
		Each:    local.Config{Ring: h.budget.ring, Probe: probeEvery},
		Changed: func(id int, kind string, d []byte) { h.shards[id].log.Event(kind, d) },
		Effect:  func(id int, e local.Effect) error { return h.effect(h.shards[id], e) },
		Refused: h.refused,
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// URL returns where the bot finds its gateway.
func (h *Host) URL() string { return h.server.URL() }

// effect does what a shard wants. It must not block.
func (h *Host) effect(s *shard, e local.Effect) error {
	switch e := e.(type) {
	case local.Identify:
		select { // only the last one counts
		case <-s.identify:
		default:
		}
		s.identify <- e
	case local.Send:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.client == nil {
			return errNoSession
		}
		return s.client.Send(e.Op, e.Data)
	case local.Skipped:
		if e.Why == local.Poison {
			h.trouble(s.id, messages.ChildTrouble{Kind: messages.TroubleSkipped, Events: 1, Err: fmt.Sprintf("%s (sequence %d) is not sent to the bot again: three connections ended after it", e.Kind, e.Seq)})
		}
	case local.Dropped:
		h.dropped(s.id, e)
	}
	return nil
}

// errNoSession is why a request of the bot is refused before Discord's session has begun.
var errNoSession = errors.New("its session has not begun")

// Begun returns once Serve has begun for every shard, with the session there was, or Stop was
// called. A process of the bot is started after that: earlier, no shard would know its session.
func (h *Host) Begun() {
	select {
	case <-h.begun:
	case <-h.stopping:
	}
}

// begins notes that the Serve of one more shard has begun.
func (h *Host) begins() {
	if h.asleep.Add(-1) == 0 {
		close(h.begun)
	}
}

// Serve is the life of one shard, until ctx ends or the shard fails for good. It goes on with what
// is in the folder: a log that is torn is reported, and used up to where it is whole.
func (h *Host) Serve(ctx context.Context, of Shard) error {
	s := h.shards[of.ID()]
	if err := h.open(s); err != nil {
		h.begins()
		return err
	}
	defer h.keep(s, of)()
	s.sdk.Store(&of)
	defer s.sdk.Store(nil)
	resume := h.restore(s, of)
	h.begins()
	next := &local.Identify{Intents: s.found.Intents}
	if resume == nil {
		select {
		case id := <-s.identify:
			next = &id
		case <-ctx.Done():
			return nil
		case <-h.stopping:
			return nil
		}
	}
	for {
		other, err := h.session(ctx, s, of, *next, resume)
		if other == nil {
			return err
		}
		next, resume = other, nil
	}
}

// open opens the log of a shard's sessions.
func (h *Host) open(s *shard) (err error) {
	s.log, s.found, err = snapshot.Open(filepath.Join(h.cfg.Dir, snapshot.File(s.id)))
	if n := s.found.Torn; n > 0 {
		then := "the shard identifies again"
		if s.found.Session != "" {
			then = fmt.Sprintf("the shard goes on from event %d, and Discord repeats what came after", s.found.Seq)
		}
		h.trouble(s.id, messages.ChildTrouble{Kind: messages.TroubleTorn, Err: fmt.Sprintf("%d bytes of its snapshot are damaged: %s", n, then)})
	}
	return err
}

// restore goes on with the session of the snapshot, if the SDK allows it, and returns it.
func (h *Host) restore(s *shard, of Shard) *messages.Session {
	offered := of.Session()
	found := s.found
	s.found.Cache = cache.Cache{} // the shard has it now, or nothing has
	if offered == nil {
		return nil
	}
	// what is committed is reported later: a log that is whole and knows less was another host's since
	stale := found.Seq < offered.Seq && found.Torn == 0
	if stale || found.Session == "" || found.Session != offered.SessionID || !found.Cache.Begun() {
		h.cfg.Log.Warn("session cannot go on without its snapshot", "shard", s.id, "snapshot_seq", found.Seq, "session_seq", offered.Seq)
		of.SessionGone()
		return nil
	}
	h.server.With(s.id, func(sh *local.Shard, _ time.Time) {
		sh.Restore(found.Session, found.Seq, found.Intents, found.Cache, found.Suspects)
	})
	s.guilds.Store(int64(len(found.Cache.Guilds())))
	session := *offered
	session.Seq, session.Intents = found.Seq, found.Intents
	s.mu.Lock()
	s.session = session
	s.mu.Unlock()
	return &session
}

// session runs a client until it ends, or until the bot wants other intents, which it returns.
func (h *Host) session(ctx context.Context, s *shard, of Shard, id local.Identify, resume *messages.Session) (other *local.Identify, err error) {
	cl := client.New(h.client(s, of, id, resume))
	s.set(cl)
	defer s.set(nil)
	ended := make(chan error, 1)
	go func() { ended <- cl.Run(ctx) }()
	stopping := h.stopping
	for {
		select {
		case <-stopping:
			cl.Close(h.stop.Deadline, h.stop.Final)
			stopping = nil
		case err := <-ended:
			return nil, err
		case <-of.Reconnect():
			cl.Reconnect()
		case other := <-s.identify:
			h.cfg.Log.Info("bot wants other intents: a new session", "shard", s.id, "intents", other.Intents)
			cl.Close(time.Now(), true)
			if err := <-ended; err != nil || ctx.Err() != nil {
				return nil, err
			}
			select {
			case other = <-s.identify: // only the last one counts
			default:
			}
			return &other, nil
		}
	}
}

func (s *shard) set(cl *client.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = cl
}

// client returns the configuration of a session's client.
func (h *Host) client(s *shard, of Shard, id local.Identify, resume *messages.Session) client.Config {
	figures := func() {
		of.Figures(time.Duration(s.latency.Load()), int(s.guilds.Load()), s.events.Load())
	}
	var random func() float64
	if h.cfg.Rand != nil {
		random = func() float64 { return h.cfg.Rand(s.id) }
	}
	return client.Config{
		Token: h.cfg.Token, Shard: s.id, ShardCount: h.cfg.ShardCount, Intents: id.Intents, Resume: resume,
		Gateway:  h.find,
		Dial:     h.cfg.Dial,
		Rand:     random,
		Permit:   of.Permit,
		Lapsed:   h.cfg.Lapsed,
		Identify: func() map[string]json.RawMessage { return h.identifyFields(s, id) },
		Session: func(session messages.Session) {
			if s.begins(session) { // that it moves counts when the bot acknowledges it: see commit
				report(of, session)
			}
		},
		SessionGone: func() {
			h.server.With(s.id, func(sh *local.Shard, _ time.Time) { sh.Lost() })
			of.SessionGone()
		},
		State: func(state messages.ShardState, code int) {
			if state == messages.ShardResuming {
				h.server.With(s.id, func(sh *local.Shard, _ time.Time) { sh.Replays() })
			}
			s.ready.Store(state == messages.ShardReady)
			of.State(state, code)
		},
		Ended:   func(err error) { h.cfg.Log.Info("gateway connection ended", "shard", s.id, "err", err) },
		Latency: func(d time.Duration) { s.latency.Store(int64(d)); figures() },
		Event: func(_ context.Context, e client.Event) {
			h.server.With(s.id, func(sh *local.Shard, now time.Time) { sh.Dispatch(now, e.Seq, e.Kind, e.Data) })
			s.events.Add(1)
			if e.Kind != "RESUMED" {
				s.heard.Add(1)
			}
			figures()
		},
	}
}
