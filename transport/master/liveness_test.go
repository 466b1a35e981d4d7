package master

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport"
)

func TestIdleLinkLives(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		control, master := b.pair(t)
		here, there := hear(control), hear(master)
		time.Sleep(time.Hour)
		here.wantOpen(t)
		there.wantOpen(t)
	})
}

// TestUpstreamNeverPings checks that pongs alone keep a link open: upstream's MASTER answers pings
// and sends none (PROTOCOL A6).
func TestUpstreamNeverPings(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil)
		h := hear(in.link)
		go ws.ReadMessage() // answers pings until the test closes it
		time.Sleep(time.Hour)
		h.wantOpen(t)
	})
}

func TestPingIsAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil)
		hear(in.link)
		pongs := make(chan string, 1)
		ws.SetPongHandler(func(payload string) error { pongs <- payload; return nil })
		go ws.ReadMessage() // until the test closes it
		if err := ws.WriteControl(websocket.PingMessage, []byte("17"), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if took := measure(func() {
			if got := <-pongs; got != "17" {
				t.Errorf("ponged %q", got)
			}
		}); took != 0 {
			t.Errorf("ponged after %s", took)
		}
	})
}

func TestSilentPeerDies(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil) // it reads nothing, so that it sends no pong
		h := hear(in.link)
		time.Sleep(7 * time.Second)
		if err := ws.WriteMessage(websocket.TextMessage, []byte("alive")); err != nil {
			t.Fatal(err)
		}
		took := measure(func() { h.wantEnd(t, "closed by the peer with 1006: no sign of life for 10s") })
		if took != silence {
			t.Errorf("dead %s after its last byte, want %s", took, silence)
		}
	})
}

func TestPeerSilentFromTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		_, in := b.raw(t, nil)
		time.Sleep(time.Minute) // without Receive there is no silence
		h := hear(in.link)
		if took := measure(func() { h.wantCode(t, 1006, "") }); took != silence {
			t.Errorf("dead %s after Receive, want %s", took, silence)
		}
	})
}

// TestLongMessageIsLife checks that a message that takes longer than the allowed silence is not
// silence.
func TestLongMessageIsLife(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil)
		h := hear(in.link)
		w, err := ws.NextWriter(websocket.TextMessage)
		if err != nil {
			t.Fatal(err)
		}
		part := strings.Repeat("x", 5000) // more than gorilla's buffer: part of it leaves each time
		for range 10 {
			time.Sleep(9 * time.Second)
			if _, err := w.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := <-h.frames; got != strings.Repeat(part, 10) {
			t.Errorf("received %d bytes", len(got))
		}
	})
}

// TestSlowActorIsNotDead delays every Ack for a minute: the window fills, the peer's pings wait
// unread, and neither end gives up.
func TestSlowActorIsNotDead(t *testing.T) {
	for name, over := range map[string]int{"one frame in hand": 1, "more on the way": 100} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				control, master := b.pair(t)
				here, there := hoard(control), hear(master)
				for range transport.Window + over {
					send(t, master, "x")
				}
				time.Sleep(time.Minute)
				here.wantOpen(t)
				there.wantOpen(t)
				if got := len(here.frames); got != transport.Window {
					t.Errorf("%d frames delivered, want %d", got, transport.Window)
				}
				for range transport.Window + over {
					<-here.frames
					control.Ack()
				}
				time.Sleep(time.Minute)
				here.wantOpen(t)
				there.wantOpen(t)
			})
		})
	}
}

// TestSlowActorSlowsPeer fills every buffer between two actors, for less than a write may wait.
func TestSlowActorSlowsPeer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		control, master := b.pair(t)
		here, there := hoard(control), hear(master)
		frame := strings.Repeat("x", 4<<10)
		const sent = transport.Window + 100
		for range sent {
			send(t, master, frame)
		}
		time.Sleep(writeWait - time.Second)
		here.wantOpen(t)
		there.wantOpen(t)
		if waiting := len(master.(*link).queue); waiting < sent-transport.Window-pipeBuffer/len(frame)-2 {
			t.Errorf("%d frames wait at the peer: it was not slowed", waiting)
		}
		for range sent {
			<-here.frames
			control.Ack()
		}
		here.wantOpen(t)
		there.wantOpen(t)
	})
}

func TestPeerThatTakesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		control, master := b.pair(t)
		here, there := hoard(control), hear(master)
		frame := strings.Repeat("x", 4<<10)
		for range transport.Window + 100 {
			send(t, master, frame)
		}
		took := measure(func() {
			there.wantEnd(t, "closed by the peer with 1006: takes nothing for 10s: i/o timeout")
		})
		if took != writeWait+closeWait {
			t.Errorf("took %s, want %s", took, writeWait+closeWait)
		}
		control.Close(0, "")
		<-here.ended
	})
}

func TestQueueOverflow(t *testing.T) {
	cases := []struct {
		name  string
		frame string
		fits  int // beside the one the writer holds
	}{
		{"by frames", "x", queueFrames},
		{"by bytes", strings.Repeat("x", MaxFrame), queueBytes / MaxFrame},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				_, in := b.raw(t, nil) // it reads nothing
				h := hear(in.link)
				send(t, in.link, strings.Repeat("x", 2*pipeBuffer))
				synctest.Wait() // the writer has taken it, and waits
				for i := range c.fits {
					if err := in.link.Send([]byte(c.frame)); err != nil {
						t.Fatalf("frame %d: %v", i, err)
					}
				}
				err := in.link.Send([]byte("x"))
				if !errors.Is(err, transport.ErrEnded) || !errors.Is(err, transport.ErrSlowPeer) {
					t.Errorf("send: %v, want ErrEnded for ErrSlowPeer", err)
				}
				if took := measure(func() { err = <-h.ended }); took != 0 || !errors.Is(err, transport.ErrSlowPeer) {
					t.Errorf("ended after %s by %v, want ErrSlowPeer at once", took, err)
				}
			})
		})
	}
}

// TestPeersLastWord checks that the peer's close code is reported, not our write that failed
// because the peer left.
func TestPeersLastWord(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ws, in := b.raw(t, nil)
		for _, m := range []struct {
			kind int
			data []byte
		}{{websocket.TextMessage, []byte("x")}, {websocket.CloseMessage, websocket.FormatCloseMessage(4003, "taken")}} {
			if err := ws.WriteMessage(m.kind, m.data); err != nil {
				t.Fatal(err)
			}
		}
		ws.Close()
		send(t, in.link, "too late")
		synctest.Wait() // the write has failed
		h := hear(in.link)
		h.wantCode(t, 4003, "taken")
		if got := <-h.frames; got != "x" {
			t.Errorf("received %q", got)
		}
	})
}
