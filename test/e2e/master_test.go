package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// peer is a MASTER that says byte by byte what a test tells it to: one link of it.
type peer struct {
	t  *testing.T
	ws *websocket.Conn
}

// says sends one text frame.
func (p *peer) says(frame string) { p.sends(websocket.TextMessage, []byte(frame)) }

func (p *peer) sends(kind int, frame []byte) {
	if err := p.ws.WriteMessage(kind, frame); err != nil {
		p.t.Logf("peer: %v", err) // CONTROL may end the link for what it just read
	}
}

// hears reads on until a frame with the text comes, and reports whether it did before the link ended.
func (p *peer) hears(text string) bool {
	for {
		_, frame, err := p.ws.ReadMessage()
		if err != nil || strings.Contains(string(frame), text) {
			return err == nil
		}
	}
}

// grants gives four shards, and waits until they are served.
func (p *peer) grants() {
	p.says(initialise)
	p.says(`{"o":6,"d":{"shardRange":[0,3],"redundant":false,"id":"good"}}`)
	if !p.hears(`"operational"`) {
		p.t.Error("a good order was not obeyed")
	}
}

const initialise = `{"o":5,"d":{"token":"` + token + `","heartbeat_interval":50000,"shard_count":8,"shards_per_cluster":2,"max_concurrency":8,"epoch":5}}`

// startPeer is a MASTER whose nth link is the nth script; the last serves all that come after it. A link whose script has ended stays open.
func startPeer(t *testing.T, scripts ...func(*peer)) (url string, served <-chan struct{}) {
	t.Helper()
	links, done := make(chan func(*peer), len(scripts)), make(chan struct{})
	for _, s := range scripts {
		links <- s
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upgrader := websocket.Upgrader{}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		p := &peer{t, ws}
		select {
		case script := <-links:
			script(p)
			if len(links) == 0 {
				close(done)
			}
		default:
		}
		p.hears("nothing that is ever said")
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http"), done
}

// What a MASTER may do wrong: one complaint that names it, and the machine lives on. Where the link lives on too, a good order is obeyed after it, and where a cluster runs,
// it stays.
func TestBadMaster(t *testing.T) {
	t.Parallel()
	text := func(frames ...string) func(*peer) {
		return func(p *peer) {
			p.says(initialise)
			for _, f := range frames {
				p.says(f)
			}
			p.grants()
		}
	}
	after := func(frames ...string) func(*peer) {
		return func(p *peer) {
			p.grants()
			for _, f := range frames {
				p.says(f)
			}
		}
	}
	for name, c := range map[string]struct {
		scripts  []func(*peer)
		event    string
		says     string
		clusters int
	}{
		"garbage":            {[]func(*peer){text("garbage", "{", `{"o":`)}, "packet.dropped", "JSON", 2},
		"null":               {[]func(*peer){text("null")}, "packet.dropped", "null", 2},
		"binary":             {[]func(*peer){func(p *peer) { p.sends(websocket.BinaryMessage, []byte{0, 1, 2, 255}); p.grants() }}, "packet.dropped", "binary message of 4 bytes", 2},
		"over 1 MiB":         {[]func(*peer){func(p *peer) { p.says(initialise); p.sends(websocket.TextMessage, bytes.Repeat([]byte(" "), 1<<20+1)) }, (*peer).grants}, "master.lost", "1048576", 2},
		"connect too early":  {[]func(*peer){func(p *peer) { p.says(`{"o":6,"d":{"shardRange":[0,3],"redundant":false}}`); p.grants() }}, "order.refused", "before initialise", 2},
		"beyond shard_count": {[]func(*peer){text(`{"o":6,"d":{"shardRange":[6,9],"redundant":false}}`)}, "order.refused", "shard_count is 8", 2},
		"backwards":          {[]func(*peer){text(`{"o":6,"d":{"shardRange":[3,0],"redundant":false}}`)}, "order.refused", "shardRange", 2},
		"overlapping":        {[]func(*peer){after(`{"o":6,"d":{"shardRange":[2,5],"redundant":false}}`)}, "order.refused", "overlaps 0-3", 2},
		"unaligned connect": {[]func(*peer){func(p *peer) {
			p.says(initialise)
			p.says(`{"o":6,"d":{"shardRange":[0,2],"redundant":false}}`)
			p.hears(`"operational"`)
			p.says(`{"o":6,"d":{"shardRange":[3,5],"redundant":false}}`)
		}}, "order.refused", "not aligned to whole clusters of 2", 2},
		"unaligned offload": {[]func(*peer){after(`{"o":3,"d":{"id":"o","shardRange":[1,2],"reason":"r"}}`)}, "order.refused", "whole clusters", 2},
		"no shards":         {[]func(*peer){func(p *peer) { p.says(strings.Replace(initialise, `"shard_count":8`, `"shard_count":0`, 1)) }}, "master.refused", "shard_count", 0},
		"stale epoch":       {[]func(*peer){after(strings.Replace(initialise, `"epoch":5`, `"epoch":3`, 1))}, "master.refused", "epoch 3 is older than 5", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, served := startPeer(t, c.scripts...)
			p := role(t, settings{"master.url": url}, "ready")
			select {
			case <-served:
			case <-time.After(patience):
				t.Fatal("the scripts did not end")
			}
			p.complained(c.event, c.says)
			if n := len(p.clusters()); n != c.clusters {
				t.Errorf("%d clusters live, want %d", n, c.clusters)
			}
			p.stop()
		})
	}
}

// No MASTER to speak with: said once, and the end comes when it is asked for.
func TestNoMaster(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a web page") }))
	t.Cleanup(plain.Close)
	for name, c := range map[string]struct{ url, event, says string }{
		"nobody listens":      {"ws://" + closedPort(t), "master.unreachable", "connection refused"},
		"not a websocket":     {"ws" + strings.TrimPrefix(plain.URL, "http"), "master.unreachable", "not a websocket: answered HTTP/1.1 200 OK"},
		"wrong authorization": {"ws://" + startMaster(t, 1), "master.refused", "4001"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := role(t, settings{"master.url": c.url, "master.authorization": "wrong"}, "ready")
			p.complained(c.event, c.says)
			t.Logf("ended after %v", p.stop())
		})
	}
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// openPort is an address at which somebody listens.
func openPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// startMaster starts `control master`, which asks nobody what the bot is to be, and gives its address.
func startMaster(t *testing.T, machines int) (address string) {
	t.Helper()
	s := settings{"fleet.listen": "127.0.0.1:0", "fleet.shards": "8", "fleet.max_concurrency": "8", "cluster.shards_per_cluster": "4", "fleet.expect": fmt.Sprint(machines),
		"master.authorization": authorization}
	m := control(t, runEnv(t, s), "master")
	address = m.line("master runs")["listen"].(string)
	t.Cleanup(func() { m.stop() })
	return address
}

// Two machines with one name: the first keeps it, the second is told so once.
func TestSameSource(t *testing.T) {
	t.Parallel()
	s := settings{"master.url": "ws://" + startMaster(t, 1), "master.authorization": authorization, "machine.source": "twin"}
	first := role(t, s, "ready")
	eventually(t, "the first machine serves", func() bool { return len(first.lines("cluster.ready")) == 2 })
	second := role(t, s, "ready")
	second.complained("master.refused", "4003")
	second.stop()
	if all := first.complaints(); len(all) > 0 || len(first.clusters()) != 2 {
		t.Errorf("the first machine: %d clusters, complaints %v", len(first.clusters()), all)
	}
	first.stop()
}
