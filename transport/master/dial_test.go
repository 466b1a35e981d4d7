package master

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport"
)

// dialled is the argument of Dial's done.
type dialled struct {
	link transport.Link
	err  error
}

// start starts an attempt over a network in memory.
func (m *memory) start(url string) (result chan dialled, cancel func()) {
	result = make(chan dialled, 2)
	cancel = dialer{netDial: m.dial}.dial(transport.Target{URL: url}, func(l transport.Link, err error) { result <- dialled{l, err} })
	return result, cancel
}

// serveRaw answers every connection by hand.
func serveRaw(m *memory, answer func(net.Conn)) {
	for {
		conn, err := m.Accept()
		if err != nil {
			return
		}
		answer(conn)
		conn.Close()
	}
}

// reply reads the request and answers with text.
func reply(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.WriteString(conn, text)
		}
	}
}

func TestDialRefusals(t *testing.T) {
	cases := []struct {
		name, url string
		answer    func(net.Conn) // nil: no listener
		want      string
		took      time.Duration
	}{
		{"no listener", "ws://master:8642", nil, "dial ws://master:8642: unreachable: dial memory: connection refused", 0},
		{"a web page", "ws://master", reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), "dial ws://master: not a websocket: answered HTTP/1.1 200 OK: websocket: bad handshake", 0},
		{"not found", "ws://master", reply("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "dial ws://master: not a websocket: answered HTTP/1.1 404 Not Found: websocket: bad handshake", 0},
		{"another protocol", "ws://master", reply("SSH-2.0-OpenSSH_9.9\r\n"), `dial ws://master: not a websocket: malformed HTTP response "SSH-2.0-OpenSSH_9.9"`, 0},
		{"hangs up", "ws://master", reply(""), "dial ws://master: connection ended during the handshake: unexpected EOF", 0},
		{"never answers", "ws://master", func(c net.Conn) { io.Copy(io.Discard, c) }, "dial ws://master: no answer to the handshake within 10s: i/o timeout", handshakeWait},
		{"plain behind wss", "wss://master", func(c net.Conn) { c.Read(make([]byte, 1)); io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
			"dial wss://master: TLS: tls: first record does not look like a TLS handshake", 0},
		{"no scheme", "master:8642", nil, "dial: want ws://host:port or wss://host:port", 0},
		{"another scheme", "http://master:8642", nil, "dial: want ws://host:port or wss://host:port", 0},
		{"a password", "ws://me:hush@master:8642", nil, "dial: want ws://host:port or wss://host:port", 0},
		{"no host", "ws:///path", nil, "dial: want ws://host:port or wss://host:port", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				if c.answer == nil {
					m.Close()
				} else {
					go serveRaw(m, c.answer)
				}
				result, _ := m.start(c.url)
				var got dialled
				took := measure(func() { got = <-result })
				m.Close()
				if got.link != nil || got.err == nil || got.err.Error() != c.want {
					t.Errorf("got %v, %v\nwant %s", got.link, got.err, c.want)
				}
				if took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
			})
		})
	}
}

func TestDialRefusesCompression(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		defer m.Close()
		upgrader := websocket.Upgrader{EnableCompression: true}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate") // not requested
			if ws, err := upgrader.Upgrade(w, r, nil); err == nil {
				ws.Close()
			}
		})}
		go server.Serve(m)
		defer server.Close()
		result, _ := m.start("ws://master")
		const want = `dial ws://master: websocket extension "permessage-deflate; server_no_context_takeover; client_no_co": want none`
		if got := <-result; got.err == nil || got.err.Error() != want {
			t.Errorf("got %v, want %s", got.err, want)
		}
	})
}

func TestCancelDial(t *testing.T) {
	t.Run("while connecting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			result, cancel := newMemory().start("ws://master") // the listener does not accept
			synctest.Wait()
			cancel()
			wantAbandoned(t, result)
		})
	})
	t.Run("while the peer is silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			result, cancel := m.start("ws://master")
			conn, err := m.Accept()
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if took := measure(func() { cancel(); wantAbandoned(t, result) }); took != 0 {
				t.Errorf("took %s", took)
			}
			conn.Close()
		})
	})
	t.Run("before Receive", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *bubble) {
			result, cancel := b.net.start("ws://master")
			got := <-result
			peer := hear((<-b.accepted).link)
			cancel()
			peer.wantCode(t, websocket.CloseNormalClosure, "")
			hear(got.link).wantEnd(t, "closed by us with 1000: link has ended", transport.ErrEnded)
			if len(result) != 0 {
				t.Error("done was called twice")
			}
		})
	})
	t.Run("after Receive", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *bubble) {
			result, cancel := b.net.start("ws://master")
			here, there := hear((<-result).link), hear((<-b.accepted).link)
			cancel()
			time.Sleep(time.Minute)
			here.wantOpen(t)
			there.wantOpen(t)
			here.link.Close(0, "")
			<-here.ended
			<-there.ended
		})
	})
}

func wantAbandoned(t *testing.T, result chan dialled) {
	t.Helper()
	got := <-result
	if want := "dial ws://master: abandoned: context canceled"; got.link != nil || got.err == nil || got.err.Error() != want {
		t.Errorf("got %v, %v; want %s", got.link, got.err, want)
	}
	if !errors.Is(got.err, context.Canceled) {
		t.Errorf("%v wraps no context.Canceled", got.err)
	}
}
