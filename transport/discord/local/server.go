package local

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/door"
)

// ServerConfig is the gateway of one cluster. Its functions must not block, nor call the server.
type ServerConfig struct {
	Token      messages.Secret
	Path       string // secret, of a predecessor whose bot lives on; "": a new one
	Shards     []int  // those of this cluster
	ShardCount int    // of all
	Each       Config
	Heartbeat  time.Duration // heartbeat_interval; 0: 30 s
	Ping       time.Duration // between two pings, to find out that a process hangs; 0: 5 s
	API        *url.URL      // where REST goes, "https://discord.com"; nil: nowhere

	// Changed is Config.Changed of each shard.
	Changed func(shard int, kind string, d []byte)
	// Effect takes what a shard wants, in order. An error refuses a Send: the bot's connection is
	// closed, as Discord does for a bot that sends too much.
	Effect func(shard int, e Effect) error
	// Refused reports a connection that is closed for what the bot did. Shard -1: it has none.
	Refused func(shard, code int, reason string)
}

// Limits of the server.
const (
	frameMax     = 4096             // bytes of a frame from the bot: Discord takes no more
	headerMax    = 16 << 10         // bytes of a request's headers
	headerWait   = 5 * time.Second  // for a request's headers
	restMax      = 64               // connections beside the shards'
	identifyWait = time.Minute      // from HELLO to IDENTIFY or RESUME
	writeWait    = 30 * time.Second // for the bot to take a write; a hang is found earlier by pings
	closeWait    = 2 * time.Second  // for the bot's half of the closing handshake
	controlMax   = 64               // answers that wait for a bot that does not read
	bufMax       = 1 << 20          // bytes of a connection's buffer that it keeps
)

// Server is the gateway of one cluster's bot. Its methods may be called from anywhere.
type Server struct {
	cfg     ServerConfig
	path    string // secret: without it there is no gateway here
	url     string
	http    *http.Server
	api     *httputil.ReverseProxy // nil: none
	bridges map[int]*bridge

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
	wait   sync.WaitGroup // of conns
}

// bridge is a shard and the connection that has it.
type bridge struct {
	id    int
	mu    sync.Mutex
	shard *Shard
	conn  *conn // nil: none
}

// Serve starts a gateway on a listener, which must be one of the loopback interface. Close ends it.
func Serve(l net.Listener, cfg ServerConfig) (*Server, error) {
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("gateway on %s: want a loopback address", l.Addr())
	}
	cfg.Heartbeat, cfg.Ping = cmp.Or(cfg.Heartbeat, 30*time.Second), cmp.Or(cfg.Ping, 5*time.Second)
	s := &Server{cfg: cfg, path: cmp.Or(cfg.Path, "/"+rand.Text())}
	s.bridges, s.conns = map[int]*bridge{}, map[*conn]struct{}{}
	s.url = "ws://" + l.Addr().String() + s.path
	cfg.Each.URL = s.url
	for _, id := range cfg.Shards {
		each := cfg.Each
		if cfg.Changed != nil {
			each.Changed = func(kind string, d []byte) { cfg.Changed(id, kind, d) }
		}
		s.bridges[id] = &bridge{id: id, shard: New(each)}
	}
	if cfg.API != nil {
		to := func(r *httputil.ProxyRequest) { r.SetURL(cfg.API) }
		s.api = &httputil.ReverseProxy{Rewrite: to}
	}
	n := 2*len(cfg.Shards) + restMax // twice: a bot may connect again before it closes
	s.http = &http.Server{
		Handler: s.routes(), ConnContext: keepConn,
		ReadHeaderTimeout: headerWait, MaxHeaderBytes: headerMax,
	}
	go func() { // it returns when it was closed
		_ = s.http.Serve(&batching{door.Limit(l, door.Limits{All: n, Each: n, Idle: restMax})})
	}()
	return s, nil
}

// URL returns where the gateway is, "ws://127.0.0.1:port/secret".
func (s *Server) URL() string { return s.url }

// Shards returns the ids of the shards, in order.
func (s *Server) Shards() []int { return slices.Sorted(slices.Values(s.cfg.Shards)) }

// With calls do with a shard, which nothing else uses at that time, and the time; then the bot gets
// what there is for it.
func (s *Server) With(shard int, do func(sh *Shard, now time.Time)) {
	if b := s.bridges[shard]; b != nil {
		s.with(b, do)
	}
}

func (s *Server) with(b *bridge, do func(*Shard, time.Time)) {
	b.mu.Lock()
	do(b.shard, time.Now())
	s.effects(b)
	c := b.conn
	b.mu.Unlock()
	if c != nil {
		c.nudge()
	}
}

// Died reports to every shard that the bot's process has ended (see Shard.Died), and lets go of its
// connections: the next process need not wait until they are found to be broken.
func (s *Server) Died(ordered bool) {
	for _, b := range s.bridges {
		b.mu.Lock()
		b.shard.Died(ordered)
		s.effects(b)
		c := b.conn
		b.conn = nil
		b.mu.Unlock()
		if c != nil {
			c.end(closeResume, "The process has ended.")
		}
	}
}

// effects passes on what a shard wants. mu of b is held, so that nothing overtakes.
func (s *Server) effects(b *bridge) {
	for _, e := range b.shard.Effects() {
		if s.cfg.Effect == nil {
			continue
		}
		if err := s.cfg.Effect(b.id, e); err != nil && b.conn != nil {
			b.conn.refuse(refused(closeFlood, "A request cannot be sent to Discord: %v", err))
		}
	}
}

// Heard returns when the bot last sent anything on a shard's connection, an answer to a ping
// included; false where there is no connection.
func (s *Server) Heard(shard int) (at time.Time, connected bool) {
	b := s.bridges[shard]
	if b == nil {
		return time.Time{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil {
		return time.Time{}, false
	}
	return time.Unix(0, b.conn.heard.Load()), true
}

// Close closes every connection with 4000, after which a bot may resume at the next host, and ends
// the server.
func (s *Server) Close() error {
	err := s.http.Close() // the listener, and what is no websocket
	s.each(func(c *conn) { c.end(closeResume, "The gateway host stops.") })
	patience := time.AfterFunc(closeWait, func() { s.each(func(c *conn) { _ = c.ws.Close() }) })
	s.wait.Wait()
	patience.Stop()
	if err != nil {
		return fmt.Errorf("close the gateway: %w", err)
	}
	return nil
}

// each calls do with every connection; from now on there are no more.
func (s *Server) each(do func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		do(c)
	}
}

// admit takes a connection in, false at the end.
func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	s.wait.Add(1)
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.wait.Done()
}

// takes reports whether a token is the bot's own. Some libraries write "Bot " before it.
func (s *Server) takes(token string) bool {
	return strings.TrimPrefix(token, "Bot ") == s.cfg.Token.Reveal()
}

// find returns the shard to which a local session belongs, nil for a strange one.
func (s *Server) find(session string) *bridge {
	of, _, _, _ := parseLocal(session)
	for _, b := range s.bridges {
		b.mu.Lock()
		id, _, _ := b.shard.Session()
		b.mu.Unlock()
		if of != "" && id == of {
			return b
		}
	}
	return nil
}
