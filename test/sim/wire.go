package sim

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport/discord/client"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/discord/server"
)

// This file is Discord's gateway as bytes, for guests: the websocket of transport/discord/server in
// front of a Gateway, whose frames have their latencies and cuts.

// WireURL is where a guest finds the gateway, by Dial.
const WireURL = "ws://gateway.discord"

// Dial returns the process's end of a connection to the gateway. It is called in a step of the
// process. The connection is answered unless there is a cut.
func (d *Discord) Dial(p *Proc) net.Conn {
	here, there := stream(loopback(0), loopback(443))
	p.keeps(here)
	p.stops = append(p.stops, func() { _ = here.Close() })
	if d.net.isCut(p.Host.Name, DiscordPlace) {
		return here
	}
	w := &wire{d: d, of: p, out: make(chan struct{}, 1)}
	w.gateway = d.Open(p.Host.Name, w.put)
	p.stops = append(p.stops, func() { w.gateway.Close(rules.CloseVanished) })
	go w.serve(there)
	return here
}

// Ask asks Discord's REST for the gateway, with a bot's token. Where there is a cut, no answer
// comes.
func (d *Discord) Ask(p *Proc, token string, done func(url string, err error)) {
	if d.net.isCut(p.Host.Name, DiscordPlace) {
		return
	}
	p.After(d.net.delay(p.Host.Name, DiscordPlace), func() {
		switch _, status := d.Rules.GatewayBot(time.Now(), token); status {
		case http.StatusOK:
			done(WireURL, nil)
		case http.StatusUnauthorized:
			done("", &client.UnauthorizedError{})
		default:
			done("", fmt.Errorf("get /gateway/bot: status %d", status))
		}
	})
}

// wire is a websocket in front of a Gateway.
type wire struct {
	d       *Discord
	of      *Proc // the client
	gateway *Gateway

	mu   sync.Mutex
	said []rules.Output // to be written
	out  chan struct{}  // there is more
}

// put has an output of Discord written.
func (w *wire) put(o rules.Output) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, o)
	select {
	case w.out <- struct{}{}:
	default:
	}
}

// wireUpgrader accepts any origin.
var wireUpgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 4096, CheckOrigin: func(*http.Request) bool { return true }}

// serve serves one connection, from its handshake to its end.
func (w *wire) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	code := rules.CloseVanished
	defer func() { w.d.loop.post(w.of, func() { w.gateway.Close(code) }) }()
	from := bufio.NewReader(c)
	r, err := http.ReadRequest(from)
	if err != nil {
		return
	}
	ws, err := wireUpgrader.Upgrade(&hijacked{c, from}, r, nil)
	if err != nil {
		return
	}
	over := make(chan struct{})
	go w.write(ws, over)
	for {
		_, frame, err := ws.ReadMessage()
		if err != nil {
			if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
				code = closed.Code
			}
			break
		}
		w.d.loop.post(w.of, func() {
			w.gateway.Send(func(id rules.Conn) rules.Input { return server.Decode(id, w.d.Shape, frame) })
		})
	}
	close(over)
}

// write writes what Discord sends, until it closes or the connection is over.
func (w *wire) write(ws *websocket.Conn, over <-chan struct{}) {
	e := server.Encoder{Version: 10, ResumeURL: WireURL, Shape: w.d.Shape, Guilds: w.d.guilds}
	for {
		w.mu.Lock()
		said := w.said
		w.said = nil
		w.mu.Unlock()
		for _, o := range said {
			if end, is := o.(rules.Close); is {
				if end.Code != rules.CloseVanished {
					_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(end.Code, end.Reason), time.Time{})
				}
				_ = ws.NetConn().Close() // what was written can still be read
				return
			}
			payload, err := e.Encode(o)
			if err != nil {
				panic(err) // an output that no gateway sends
			}
			if ws.WriteMessage(websocket.TextMessage, payload) != nil {
				return
			}
		}
		select {
		case <-w.out:
		case <-over:
			return
		}
	}
}

// hijacked is the answer to a request whose connection becomes a websocket.
type hijacked struct {
	net.Conn
	from *bufio.Reader
}

func (h *hijacked) Header() http.Header { return http.Header{} }
func (h *hijacked) WriteHeader(int)     {}
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.Conn, bufio.NewReadWriter(h.from, bufio.NewWriter(h.Conn)), nil
}
