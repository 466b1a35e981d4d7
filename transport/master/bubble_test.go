package master

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport"
)

// The links here are real, gorilla and net/http included, over a network in memory. A bubble fails
// when a goroutine outlives it: each test in one also finds leaks.

// bubble is the end of a listening MASTER.
type bubble struct {
	net      *memory
	accepted chan arrival
	stop     func()
}

type arrival struct {
	link     transport.Link
	greeting transport.Greeting
}

// inBubble runs fn beside a listener. Whatever fn leaves open has to end by itself.
func inBubble(t *testing.T, fn func(t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{net: newMemory(), accepted: make(chan arrival, 16)}
		b.stop = serve(b.net, func(l transport.Link, g transport.Greeting) { b.accepted <- arrival{l, g} })
		t.Cleanup(b.stop)
		fn(t, b)
	})
}

// pair opens a link and returns both ends.
func (b *bubble) pair(t *testing.T) (control, master transport.Link) {
	t.Helper()
	result := make(chan transport.Link, 1)
	dialer{netDial: b.net.dial}.dial(transport.Target{URL: "ws://master"}, func(l transport.Link, err error) {
		if err != nil {
			t.Errorf("dial: %v", err)
		}
		result <- l
	})
	control = <-result
	if control == nil {
		t.FailNow()
	}
	master = (<-b.accepted).link
	t.Cleanup(func() { control.Close(0, ""); master.Close(0, "") })
	return control, master
}

// raw opens a websocket that does nothing by itself, and MASTER's end of it.
func (b *bubble) raw(t *testing.T, header http.Header) (*websocket.Conn, arrival) {
	t.Helper()
	wd := websocket.Dialer{NetDialContext: b.net.dial}
	ws, _, err := wd.Dial("ws://master/any/path", header)
	if err != nil {
		t.Fatal(err)
	}
	in := <-b.accepted
	t.Cleanup(func() { ws.Close(); in.link.Close(0, "") })
	return ws, in
}

// listener keeps what a link delivered.
type listener struct {
	link   transport.Link
	frames chan string
	ended  chan error
	took   bool // at once
}

// hear receives from a link and acks every frame at once.
func hear(l transport.Link) *listener { return receive(l, true) }

// hoard receives from a link and acks no frame.
func hoard(l transport.Link) *listener { return receive(l, false) }

func receive(l transport.Link, took bool) *listener {
	h := &listener{link: l, frames: make(chan string, 10_000), ended: make(chan error, 2), took: took}
	l.Receive(h.onFrame, func(err error) { h.ended <- err })
	return h
}

func (h *listener) onFrame(b []byte) {
	h.frames <- string(b)
	if h.took {
		h.link.Ack()
	}
}

// wantEnd waits for the end and checks that it wraps every one of the errors and has the text.
func (h *listener) wantEnd(t *testing.T, text string, wraps ...error) {
	t.Helper()
	err := <-h.ended
	if err == nil || err.Error() != text {
		t.Errorf("ended by %v, want %s", err, text)
	}
	for _, want := range wraps {
		if !errors.Is(err, want) {
			t.Errorf("ended by %v, which wraps no %v", err, want)
		}
	}
}

// wantCode waits for the end and checks the peer's close code.
func (h *listener) wantCode(t *testing.T, code int, reason string) {
	t.Helper()
	err := <-h.ended
	var got *transport.CloseError
	if !errors.As(err, &got) || got.Code != code || got.Reason != reason {
		t.Errorf("ended by %v, want close code %d %s", err, code, reason)
	}
}

// wantOpen checks that the link has not ended.
func (h *listener) wantOpen(t *testing.T) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-h.ended:
		t.Errorf("ended by %v, want an open link", err)
	default:
	}
}

// measure returns how long fn took, in the bubble's time.
func measure(fn func()) time.Duration {
	began := time.Now()
	fn()
	return time.Since(began)
}

func send(t *testing.T, l transport.Link, frames ...string) {
	t.Helper()
	for _, f := range frames {
		if err := l.Send([]byte(f)); err != nil {
			t.Errorf("send: %v", err)
		}
	}
}
