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

// Limits of a listener, links and handshakes together. A connection without a finished handshake is
// closed in favour of a new one (transport/door).
const (
	MaxConnections = 4096
	maxOfAddress   = 3072 // a whole fleet may come from one address
	maxHandshakes  = 512  // of one address
)

// headerBytes limits the headers of a handshake.
const headerBytes = 16 << 10

// Listen accepts links at address ("host:8642", port 0 for any) on every path, as upstream's MASTER
// does (PROTOCOL A6), until stop, and returns the address in use. stop ends no link. accept is
// called for every websocket, whatever its greeting: MASTER itself refuses, by a close code. A
// handshake with an Origin header comes from a browser and is refused with 403: a page that an
// operator visits must not reach MASTER.
func Listen(address string, accept func(transport.Link, transport.Greeting)) (at string, stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("listen for CONTROLs at %s: %w", address, err)
	}
	return listener.Addr().String(), serve(listener, accept), nil
}

// serve upgrades the connections of listener; one of tls.NewListener serves wss.
func serve(listener net.Listener, accept func(transport.Link, transport.Greeting)) (stop func()) {
	var stopped atomic.Bool
	upgrader := websocket.Upgrader{
		HandshakeTimeout: handshakeWait,
		CheckOrigin:      func(r *http.Request) bool { return r.Header.Get("Origin") == "" },
	}
	server := &http.Server{
		ReadHeaderTimeout: handshakeWait,
		MaxHeaderBytes:    headerBytes,
		// it reports scanners and broken TLS, line by line
		ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return // Upgrade has answered
			}
			if c := door.Of(ws.NetConn()); c != nil {
				c.Busy() // until it closes
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
		listener.Close() // first: server.Close knows it only once Serve runs
		server.Close()
	}
}

// greeting returns the headers of the handshake; several lines of a header are joined, as node does
// (PROTOCOL A6).
func greeting(r *http.Request) transport.Greeting {
	header := func(name string) string { return strings.Join(r.Header.Values(name), ", ") }
	return transport.Greeting{
		Remote:        r.RemoteAddr,
		Authorization: header("authorization"),
		Source:        header("source"),
		Instance:      header("instance"),
		UserAgent:     header("user-agent"),
	}
}
