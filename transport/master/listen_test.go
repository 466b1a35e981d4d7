package master

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport"
)

func TestGreeting(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		_, in := b.raw(t, http.Header{
			"Authorization": {"secret"}, "Source": {"x", "y"}, "Instance": {"1f"}, "User-Agent": {"control/1.0.0"},
		})
		want := transport.Greeting{Remote: "memory", Authorization: "secret", Source: "x, y", Instance: "1f", UserAgent: "control/1.0.0"}
		if in.greeting != want {
			t.Errorf("greeted with %+v, want %+v", in.greeting, want)
		}
		_, in = b.raw(t, nil)
		want = transport.Greeting{Remote: "memory", UserAgent: in.greeting.UserAgent}
		if in.greeting != want {
			t.Errorf("greeted with %+v, want %+v", in.greeting, want)
		}
	})
}

func TestNoWebsocketForMASTER(t *testing.T) {
	const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	cases := []struct {
		name, header string
		want         int
		took         time.Duration
	}{
		{"a browser's page", "Origin: http://master\r\n" + upgrade + "\r\n", http.StatusForbidden, 0},
		{"a plain request", "\r\n", http.StatusBadRequest, 0},
		{"endless headers", strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 50), http.StatusRequestHeaderFieldsTooLarge, 0},
		{"headers that never end", "X: x\r\n", 0, handshakeWait},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				conn, err := b.net.dial(context.Background(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: master\r\n"+c.header)
				var status int
				took := measure(func() {
					if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
						status = resp.StatusCode
					}
				})
				if status != c.want || took != c.took || len(b.accepted) != 0 {
					t.Errorf("answered %d after %s, %d accepted; want %d after %s", status, took, len(b.accepted), c.want, c.took)
				}
				_, _ = io.Copy(io.Discard, conn) // net/http lingers half a second after a refusal
			})
		})
	}
}

func TestStopEndsNoLink(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		control, master := b.pair(t)
		here, there := hear(control), hear(master)
		b.stop()
		b.stop() // twice does no harm
		result, _ := b.net.start("ws://master")
		if got := <-result; got.err == nil {
			t.Error("a stopped listener accepted")
		}
		send(t, control, "still there")
		if got := <-there.frames; got != "still there" {
			t.Errorf("received %q", got)
		}
		here.wantOpen(t)
	})
}

// Connections that never finish their handshake keep no CONTROL out, and end no link.
func TestIdleHandshakes(t *testing.T) {
	accepted := make(chan arrival, 2)
	at, stop, err := Listen("127.0.0.1:0", func(l transport.Link, g transport.Greeting) { accepted <- arrival{l, g} })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	link := func() transport.Link {
		result := make(chan dialled, 1)
		Dial(transport.Target{URL: "ws://" + at, Header: map[string]string{"source": "north"}}, func(l transport.Link, err error) { result <- dialled{l, err} })
		got := <-result
		if got.err != nil {
			t.Fatal(got.err)
		}
		return got.link
	}
	first := link()
	there := hear((<-accepted).link)
	for range maxHandshakes + 20 {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	link().Close(0, "")
	send(t, first, "still there")
	if got := <-there.frames; got != "still there" {
		t.Errorf("received %q", got)
	}
	first.Close(0, "")
}

// TestRealSockets runs one story over TCP: listen, refuse plain TCP, dial, exchange frames, close.
func TestRealSockets(t *testing.T) {
	accepted := make(chan arrival, 1)
	at, stop, err := Listen("127.0.0.1:0", func(l transport.Link, g transport.Greeting) { accepted <- arrival{l, g} })
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Listen(at, nil); err == nil || !strings.HasPrefix(err.Error(), "listen for CONTROLs at "+at) {
		t.Errorf("listening twice: %v", err)
	}
	result := make(chan dialled, 1)
	done := func(l transport.Link, err error) { result <- dialled{l, err} }
	Dial(transport.Target{URL: "ws://" + at, Header: map[string]string{"source": "north"}}, done)
	got := <-result
	if got.err != nil {
		t.Fatal(got.err)
	}
	in := <-accepted
	if in.greeting.Source != "north" {
		t.Errorf("greeted with %+v", in.greeting)
	}
	here, there := hear(got.link), hear(in.link)
	full := strings.Repeat("x", MaxFrame)
	for range 8 {
		send(t, got.link, full)
	}
	for range 8 {
		if <-there.frames != full {
			t.Error("a frame arrived broken")
		}
	}
	in.link.Close(4006, "superseded")
	here.wantCode(t, 4006, "superseded")
	there.wantEnd(t, "closed by us with 4006: link has ended", transport.ErrEnded)
	stop()
	Dial(transport.Target{URL: "ws://" + at}, done)
	if got := <-result; got.err == nil || !strings.HasPrefix(got.err.Error(), "dial ws://"+at+": unreachable: dial tcp ") {
		t.Errorf("dialling a closed port: %v", got.err)
	}
}

// TestRefusalArrives checks, over TCP, that a peer in the middle of a message far over the limit
// still reads the reason of the refusal: no reset overtakes the close frame.
func TestRefusalArrives(t *testing.T) {
	accepted := make(chan arrival, 1)
	at, stop, err := Listen("127.0.0.1:0", func(l transport.Link, g transport.Greeting) { accepted <- arrival{l, g} })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ws, _, err := new(websocket.Dialer).Dial("ws://"+at, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := hear((<-accepted).link)
	if err := ws.WriteMessage(websocket.TextMessage, make([]byte, 8*MaxFrame)); err != nil {
		t.Errorf("write: %v", err)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
		t.Errorf("read %v, want 1009", err)
	}
	ws.Close()
	h.wantEnd(t, "receive: message over 1048576 bytes: frame over the size limit", transport.ErrTooLarge)
}

// TestTLS checks that a listener of crypto/tls serves wss, and that an unknown certificate is
// refused.
func TestTLS(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	defer certified.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan arrival, 1)
	stop := serve(tls.NewListener(plain, &tls.Config{Certificates: certified.TLS.Certificates}), func(l transport.Link, g transport.Greeting) { accepted <- arrival{l, g} })
	defer stop()
	result := make(chan dialled, 1)
	done := func(l transport.Link, err error) { result <- dialled{l, err} }
	to := transport.Target{URL: "wss://" + plain.Addr().String()}
	Dial(to, done)
	if got := <-result; got.err == nil || !strings.Contains(got.err.Error(), ": TLS: ") {
		t.Errorf("a stranger's certificate: %v", got.err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	dialer{netDial: new(net.Dialer).DialContext, tls: &tls.Config{RootCAs: roots}}.dial(to, done)
	got := <-result
	if got.err != nil {
		t.Fatal(got.err)
	}
	here, there := hear(got.link), hear((<-accepted).link)
	send(t, here.link, "hello")
	if frame := <-there.frames; frame != "hello" {
		t.Errorf("received %q", frame)
	}
	here.link.Close(0, "")
	there.wantCode(t, websocket.CloseNormalClosure, "")
	<-here.ended
}
