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

// peer is one link of a scripted MASTER.
type peer struct {
	t  *testing.T
	ws *websocket.Conn
}

// sendText sends one text frame.
func (p *peer) sendText(frame string) { p.sends(websocket.TextMessage, []byte(frame)) }

func (p *peer) sends(kind int, frame []byte) {
	if err := p.ws.WriteMessage(kind, frame); err != nil {
		p.t.Logf("peer: %v", err) // CONTROL may end the link for the frame it read
	}
}

// waitsFor reads frames until one contains the text. It returns false if the link ends before.
func (p *peer) waitsFor(text string) bool {
	for {
		_, frame, err := p.ws.ReadMessage()
		if err != nil || strings.Contains(string(frame), text) {
			return err == nil
		}
	}
}

// grants assigns four shards and waits until they are served.
func (p *peer) grants() {
	p.sendText(initialise)
	p.sendText(`{"o":6,"d":{"shardRange":[0,3],"redundant":false,"id":"good"}}`)
	if !p.waitsFor(`"operational"`) {
		p.t.Error("a good order was not obeyed")
	}
}

const initialise = `{"o":5,"d":{"token":"` + token + `","heartbeat_interval":50000,"shard_count":8,"shards_per_cluster":2,"max_concurrency":8,"epoch":5}}`

// startPeer starts a MASTER that plays the nth script on its nth link, and the last one on all
// later links. After its script a link stays open.
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
		p.waitsFor("nothing that is ever sent")
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http"), done
}

// Errors of a MASTER: one complaint names it, and the machine goes on. If the link lives on, a
// valid order is obeyed after it, and running clusters stay.
func TestBadMaster(t *testing.T) {
	t.Parallel()
	text := func(frames ...string) func(*peer) {
		return func(p *peer) {
			p.sendText(initialise)
			for _, f := range frames {
				p.sendText(f)
			}
			p.grants()
		}
	}
	after := func(frames ...string) func(*peer) {
		return func(p *peer) {
			p.grants()
			for _, f := range frames {
				p.sendText(f)
			}
		}
	}
	for name, c := range map[string]struct {
		scripts  []func(*peer)
		event    string
		text     string
		clusters int
	}{
		"garbage": {[]func(*peer){text("garbage", "{", `{"o":`)}, "packet.dropped", "JSON", 2},
		"null":    {[]func(*peer){text("null")}, "packet.dropped", "null", 2},
		"binary":  {[]func(*peer){func(p *peer) { p.sends(websocket.BinaryMessage, []byte{0, 1, 2, 255}); p.grants() }}, "packet.dropped", "binary message of 4 bytes", 2},
		"over 1 MiB": {[]func(*peer){func(p *peer) {
			p.sendText(initialise)
			p.sends(websocket.TextMessage, bytes.Repeat([]byte(" "), 1<<20+1))
		}, (*peer).grants}, "master.lost", "1048576", 2},
		"connect too early":  {[]func(*peer){func(p *peer) { p.sendText(`{"o":6,"d":{"shardRange":[0,3],"redundant":false}}`); p.grants() }}, "order.refused", "before initialise", 2},
		"beyond shard_count": {[]func(*peer){text(`{"o":6,"d":{"shardRange":[6,9],"redundant":false}}`)}, "order.refused", "shard_count is 8", 2},
		"backwards":          {[]func(*peer){text(`{"o":6,"d":{"shardRange":[3,0],"redundant":false}}`)}, "order.refused", "shardRange", 2},
		"overlapping":        {[]func(*peer){after(`{"o":6,"d":{"shardRange":[2,5],"redundant":false}}`)}, "order.refused", "overlaps 0-3", 2},
		"unaligned connect": {[]func(*peer){func(p *peer) {
			p.sendText(initialise)
			p.sendText(`{"o":6,"d":{"shardRange":[0,2],"redundant":false}}`)
			p.waitsFor(`"operational"`)
			p.sendText(`{"o":6,"d":{"shardRange":[3,5],"redundant":false}}`)
		}}, "order.refused", "not aligned to whole clusters of 2", 2},
		"unaligned offload": {[]func(*peer){after(`{"o":3,"d":{"id":"o","shardRange":[1,2],"reason":"r"}}`)}, "order.refused", "whole clusters", 2},
		"no shards":         {[]func(*peer){func(p *peer) { p.sendText(strings.Replace(initialise, `"shard_count":8`, `"shard_count":0`, 1)) }}, "master.refused", "shard_count", 0},
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
			p.complained(c.event, c.text)
			if n := len(p.clusters()); n != c.clusters {
				t.Errorf("%d clusters live, want %d", n, c.clusters)
			}
			p.stop()
		})
	}
}

// No MASTER answers: that is reported once, and an ordered stop works.
func TestNoMaster(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a web page") }))
	t.Cleanup(plain.Close)
	for name, c := range map[string]struct{ url, event, text string }{
		"nothing listens":     {"ws://" + closedPort(t), "master.unreachable", "connection refused"},
		"not a websocket":     {"ws" + strings.TrimPrefix(plain.URL, "http"), "master.unreachable", "not a websocket: answered HTTP/1.1 200 OK"},
		"wrong authorization": {"ws://" + startMaster(t, 1), "master.refused", "4001"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := role(t, settings{"master.url": c.url, "master.authorization": "wrong"}, "ready")
			p.complained(c.event, c.text)
			t.Logf("ended after %v", p.stop())
		})
	}
}

// closedPort returns an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	return fmt.Sprint("127.0.0.1:", twoPorts(t))
}

// openPort returns an address at which the test listens.
func openPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// startMaster starts `control master`, which asks Discord nothing, and returns its address.
func startMaster(t *testing.T, machines int) (address string) {
	t.Helper()
	s := settings{"fleet.listen": "127.0.0.1:0", "fleet.shards": "8", "fleet.max_concurrency": "8", "cluster.shards_per_cluster": "4", "fleet.expect": fmt.Sprint(machines),
		"master.authorization": authorization}
	m := control(t, runEnv(t, s), "master")
	address = m.line("master runs")["listen"].(string)
	t.Cleanup(func() { m.stop() })
	return address
}

// Two machines with one name: the first keeps it, and the second reports it once.
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
