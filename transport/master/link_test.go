package master

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport"
)

func TestFramesGoBothWaysInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		control, master := b.pair(t)
		send(t, master, "before Receive") // as MASTER's initialise is
		synctest.Wait()
		there, here := hear(master), hear(control)
		for i := range 1000 {
			send(t, control, fmt.Sprint("up ", i))
			send(t, master, fmt.Sprint("down ", i))
			if i%100 == 0 {
				synctest.Wait()
			}
		}
		if got := <-here.frames; got != "before Receive" {
			t.Errorf("first frame %q, want the one sent before Receive", got)
		}
		for i := range 1000 {
			if up, down := <-there.frames, <-here.frames; up != fmt.Sprint("up ", i) || down != fmt.Sprint("down ", i) {
				t.Fatalf("frame %d: %q and %q", i, up, down)
			}
		}
	})
}

func TestCloseCodes(t *testing.T) {
	cases := []struct {
		name       string
		code       int
		reason     string
		wantCode   int
		wantReason string
	}{
		{"just the end", 0, "", 1000, ""},
		{"unauthorised", 4001, "Unauthorized", 4001, "Unauthorized"},
		{"longest reason", 4006, strings.Repeat("x", 123), 4006, strings.Repeat("x", 123)},
		{"reason too long", 4006, strings.Repeat("x", 122) + "é", 4006, strings.Repeat("x", 122)},
	}
	for _, c := range cases {
		for _, closer := range []string{"control", "master"} {
			t.Run(closer+"/"+c.name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, b *bubble) {
					closes, other := b.pair(t)
					if closer == "master" {
						closes, other = other, closes
					}
					us, peer := hear(closes), hear(other)
					send(t, closes, "last words")
					took := measure(func() {
						closes.Close(c.code, c.reason)
						peer.wantCode(t, c.wantCode, c.wantReason)
						us.wantEnd(t, fmt.Sprintf("closed by us with %d: link has ended", c.wantCode), transport.ErrEnded)
					})
					if took != 0 {
						t.Errorf("closing took %s between peers that listen", took)
					}
					if got := <-peer.frames; got != "last words" {
						t.Errorf("received %q, want what was queued before Close", got)
					}
					if err := closes.Send([]byte("x")); !errors.Is(err, transport.ErrEnded) {
						t.Errorf("send after Close: %v, want ErrEnded", err)
					}
					if err := other.Send([]byte("x")); !errors.Is(err, transport.ErrEnded) {
						t.Errorf("send after the peer's close: %v, want ErrEnded", err)
					}
				})
			})
		}
	}
}

func TestPeerClosesWithoutCode(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil)
		h := hear(in.link)
		if err := ws.WriteMessage(websocket.CloseMessage, nil); err != nil {
			t.Fatal(err)
		}
		h.wantCode(t, websocket.CloseNoStatusReceived, "")
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
			t.Errorf("answered with %v, want a close frame without code", err)
		}
	})
}

func TestCloseWaitsOneSecond(t *testing.T) {
	t.Run("for the peer's close", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *bubble) {
			_, in := b.raw(t, nil) // it never answers
			h := hear(in.link)
			took := measure(func() {
				in.link.Close(4005, "")
				in.link.Close(4006, "the first one counts")
				h.wantEnd(t, "closed by us with 4005: link has ended", transport.ErrEnded)
			})
			if took != closeWait {
				t.Errorf("took %s, want %s", took, closeWait)
			}
		})
	})
	t.Run("for what is queued", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *bubble) {
			_, in := b.raw(t, nil) // it reads nothing
			h := hear(in.link)
			send(t, in.link, strings.Repeat("x", 2*pipeBuffer), "never written")
			took := measure(func() {
				in.link.Close(0, "")
				h.wantEnd(t, "closed by us with 1000: link has ended", transport.ErrEnded)
			})
			if took != closeWait {
				t.Errorf("took %s, want %s", took, closeWait)
			}
		})
	})
	t.Run("before Receive", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *bubble) {
			ws, in := b.raw(t, nil)
			in.link.Close(4001, "Unauthorized")
			if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, 4001) {
				t.Errorf("read %v, want 4001", err)
			}
			time.Sleep(closeWait)
			hear(in.link).wantEnd(t, "closed by us with 4001: link has ended", transport.ErrEnded)
		})
	})
}

func TestFramesAfterCloseAreDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil)
		h := hoard(in.link)
		for range transport.Window + 10 { // the reader waits for its window
			if err := ws.WriteMessage(websocket.TextMessage, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		in.link.Close(0, "")
		if err := ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "")); err != nil {
			t.Fatal(err)
		}
		if took := measure(func() { <-h.ended }); took != 0 {
			t.Errorf("took %s to find the peer's close behind dropped frames", took)
		}
		if got := len(h.frames); got != transport.Window {
			t.Errorf("%d frames, want %d", got, transport.Window)
		}
	})
}

func TestFrameLimit(t *testing.T) {
	full := strings.Repeat("x", MaxFrame)
	t.Run("1 MiB passes both ways", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *bubble) {
			control, master := b.pair(t)
			here, there := hear(control), hear(master)
			send(t, control, full)
			send(t, master, full)
			if got := <-there.frames; got != full {
				t.Errorf("MASTER received %d bytes", len(got))
			}
			if got := <-here.frames; got != full {
				t.Errorf("CONTROL received %d bytes", len(got))
			}
		})
	})
	t.Run("more is not sent", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *bubble) {
			control, master := b.pair(t)
			there := hear(master)
			if err := control.Send([]byte(full + "x")); !errors.Is(err, transport.ErrTooLarge) {
				t.Errorf("send: %v, want ErrTooLarge", err)
			}
			send(t, control, "still open")
			if got := <-there.frames; got != "still open" {
				t.Errorf("received %q", got)
			}
		})
	})
	t.Run("more is not received", func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *bubble) {
			ws, in := b.raw(t, nil)
			h := hear(in.link)
			go ws.WriteMessage(websocket.TextMessage, []byte(full+"x"))
			if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
				t.Errorf("read %v, want 1009", err)
			}
			ws.Close()
			h.wantEnd(t, "receive: message over 1048576 bytes: frame over the size limit", transport.ErrTooLarge)
		})
	})
}

func TestBinaryMessageIsNoPacket(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil)
		h := hear(in.link)
		for kind, text := range map[int]string{websocket.BinaryMessage: `{"d":{},"o":8}`, websocket.TextMessage: `{"d":{},"o":8}`} {
			if err := ws.WriteMessage(kind, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		refused := 0
		for range 2 {
			if _, err := DecodeFromControl([]byte(<-h.frames)); err != nil {
				refused++
			}
		}
		if refused != 1 {
			t.Errorf("%d of 2 refused, want the binary one", refused)
		}
		h.wantOpen(t)
	})
}

func TestBrokenFraming(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil)
		h := hear(in.link)
		// a text frame without mask
		if _, err := ws.NetConn().Write([]byte{0x81, 0x01, 'x'}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseProtocolError) {
			t.Errorf("read %v, want 1002", err)
		}
		ws.Close()
		h.wantEnd(t, "receive: websocket: bad MASK")
	})
}

func TestVanishedPeer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil)
		h := hear(in.link)
		ws.NetConn().Close()
		h.wantCode(t, 1006, "")
	})
}
