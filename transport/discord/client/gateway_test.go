package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/messages"
)

// gateway is a scripted Discord for a bubble: it does nothing that the test does not say.
type gateway struct {
	t     *testing.T
	peers chan *peer
	conns chan net.Conn
	done  chan struct{}

	mu   sync.Mutex
	down bool // no connection is made
}

// peer is one connection, seen from Discord.
type peer struct {
	t   *testing.T
	url string
	ws  *websocket.Conn
	in  chan packet
	err error // how it ended; read once in is closed
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{t: t, peers: make(chan *peer), conns: make(chan net.Conn), done: make(chan struct{})}
	server := http.Server{Handler: g, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(g)
	t.Cleanup(func() { close(g.done); server.Close() })
	return g
}

// Accept, Close and Addr make it a net.Listener.
func (g *gateway) Accept() (net.Conn, error) {
	select {
	case c := <-g.conns:
		return c, nil
	case <-g.done:
		return nil, net.ErrClosed
	}
}
func (g *gateway) Close() error   { return nil }
func (g *gateway) Addr() net.Addr { return &net.UnixAddr{Name: "gateway", Net: "mem"} }

func (g *gateway) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	g.mu.Lock()
	down := g.down
	g.mu.Unlock()
	if down {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case g.conns <- ours:
		return theirs, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *gateway) setDown(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	p := &peer{t: g.t, url: r.Host + r.URL.String(), ws: ws, in: make(chan packet, 100)}
	go func() {
		defer close(p.in)
		for {
			var f packet
			if p.err = ws.ReadJSON(&f); p.err != nil {
				return
			}
			p.in <- f
		}
	}()
	select {
	case g.peers <- p:
	case <-g.done:
		ws.Close()
	}
}

// accept awaits the next connection and sends HELLO on it, with a heartbeat interval of 40 s.
func (g *gateway) accept() *peer {
	g.t.Helper()
	p := g.silent()
	p.send(`{"op":10,"d":{"heartbeat_interval":40000}}`)
	return p
}

func (g *gateway) silent() *peer {
	g.t.Helper()
	select {
	case p := <-g.peers:
		return p
	case <-time.After(time.Hour):
		g.t.Fatal("no connection within an hour")
		return nil
	}
}

func (p *peer) send(frame string) {
	p.t.Helper()
	if err := p.ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		p.t.Errorf("gateway: send: %v", err)
	}
}

// expect awaits the client's next packet; a heartbeat that was not asked for is skipped.
func (p *peer) expect(op int) packet {
	p.t.Helper()
	for f := range p.in {
		if f.Op == op {
			return f
		}
		if f.Op != opHeartbeat {
			p.t.Fatalf("gateway: got op %d %s, want op %d", f.Op, f.Data, op)
		}
	}
	p.t.Fatalf("gateway: connection ended (%v), want op %d", p.err, op)
	return packet{}
}

// ends awaits the end of the connection and gives the client's close code.
func (p *peer) ends() int {
	for range p.in {
	}
	p.ws.Close()
	return closeCode(p.err)
}

// close closes with a code; 0 just vanishes.
func (p *peer) close(code int, reason string) {
	if code != 0 {
		p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
	}
	p.ws.Close()
}

// ready answers an IDENTIFY with session "s1".
func (p *peer) ready() {
	p.t.Helper()
	p.expect(opIdentify)
	p.send(readyFrame)
}

const readyFrame = `{"op":0,"t":"READY","s":1,"d":{"session_id":"s1","resume_gateway_url":"ws://resume.example","user":{"id":"7"},"application":{"id":"8"},"guilds":[{"id":"11"},{"id":"12"}]}}`

// told records the calls of a client's hooks, one line each.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (l *told) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// take gives what was recorded since the last take.
func (l *told) take() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// permit counts what became of it.
type permit struct {
	*told
	overdue bool
}

func (p permit) Overdue() bool { return p.overdue }
func (p permit) Sent()         { p.add("sent") }
func (p permit) Unused()       { p.add("unused") }

// running is a client in a bubble, its hooks recorded.
type running struct {
	*Client
	*told
	ended  chan error
	cancel context.CancelFunc
}

// start runs a client against g. Every permit is granted at once; edit changes that, and anything
// else.
func start(t *testing.T, g *gateway, edit func(*Config, *told)) *running {
	l := &told{}
	cfg := Config{
		Token: "secret", Shard: 3, ShardCount: 16, Intents: 513, Dial: g.dial, Rand: func() float64 { return 0.5 },
		Gateway: func(context.Context) (string, error) { return "ws://gateway.example", nil },
		Permit: func(_ context.Context, cause messages.IdentifyCause) (Permit, error) {
			l.add("permit " + string(cause))
			return permit{told: l}, nil
		},
		SessionGone: func() { l.add("gone") },
		State: func(s messages.ShardState, code int) {
			if code != 0 {
				l.add(string(s) + " " + closeText(code))
				return
			}
			l.add(string(s))
		},
	}
	if edit != nil {
		edit(&cfg, l)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Client: New(cfg), told: l, ended: make(chan error, 1), cancel: cancel}
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(cancel)
	return r
}

func closeText(code int) string { b, _ := json.Marshal(code); return string(b) }
