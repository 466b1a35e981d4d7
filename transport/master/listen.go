package master

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/door"
)

// Limits of a listener, links and handshakes together. A connection on which no handshake is done
// gives way to a new one (transport/door).
const (
	MaxConnections = 4096
	maxOfAddress   = 3072 // a whole fleet may come from behind one address
	maxHandshakes  = 512  // of one address
)

// headerBytes bounds the headers of a handshake.
const headerBytes = 16 << 10

// Listen accepts links at address ("host:8642", port 0 for any) on every path, as upstream's MASTER
// does (PROTOCOL A6), until stop, and says where it listens. stop ends no link. accept is called
// for every websocket, whatever its greeting says: refusing it by a close code is MASTER's
// business. A handshake with an Origin header comes from a browser and is refused with 403: a page
// an operator visits must not speak to his MASTER.
func Listen(address string, accept func(transport.Link, transport.Greeting)) (at string, stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("listen for CONTROLs at %s: %w", address, err)
	}
	return listener.Addr().String(), serve(listener, accept), nil
}

// serve upgrades what listener accepts; one of tls.NewListener serves wss.
func serve(listener net.Listener, accept func(transport.Link, transport.Greeting)) (stop func()) {
	var stopped atomic.Bool
	upgrader := websocket.Upgrader{
		HandshakeTimeout: handshakeWait,
		CheckOrigin:      func(r *http.Request) bool { return r.Header.Get("Origin") == "" },
	}
	server := &http.Server{
		ReadHeaderTimeout: handshakeWait,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          log.New(io.Discard, "", 0), // it tells of scanners and broken TLS, line by line
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return // Upgrade has answered
			}
			if c := door.Of(ws.NetConn()); c != nil {
				c.Busy() // for its life
			}
			l := newLink(ws)
			if stopped.Load() {
				l.Close(websocket.CloseGoingAway, "stopped")
				return
			}
			accept(l, greeting(r))
		}),
	}
	server.SetKeepAlivesEnabled(false) // a connection is one handshake
	go server.Serve(door.Limit(listener, door.Limits{All: MaxConnections, Each: maxOfAddress, Idle: maxHandshakes}))
	return func() {
		stopped.Store(true)
		listener.Close() // first: Close knows it only once Serve runs
		server.Close()
	}
}

// greeting is what the handshake says; of a header with several lines, all, as node joins them
// (PROTOCOL A6).
func greeting(r *http.Request) transport.Greeting {
	said := func(name string) string { return strings.Join(r.Header.Values(name), ", ") }
	return transport.Greeting{
		Remote:        r.RemoteAddr,
		Authorization: said("authorization"),
		Source:        said("source"),
		Instance:      said("instance"),
		UserAgent:     said("user-agent"),
	}
}
