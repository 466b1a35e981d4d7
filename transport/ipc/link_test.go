package ipc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/transport"
)

func TestLinkDeliversInOrderThenClosesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		got := receive(l, true)
		go func() {
			_, _ = io.WriteString(far, "1\f2\f\f3")
			_, _ = io.WriteString(far, "\f")
			_ = far.Close()
		}()
		if err := <-got.closed; !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "the peer closed the ipc link") {
			t.Errorf("closed with %v", err)
		}
		for _, want := range []string{"1", "2", "3"} {
			if f := <-got.frames; f != want {
				t.Errorf("got %q, want %q", f, want)
			}
		}
		if err := l.Send([]byte("x")); !errors.Is(err, transport.ErrEnded) {
			t.Errorf("Send on an ended link: %v", err)
		}
		l.Close(0, "again")
		synctest.Wait()
		if len(got.closed) != 0 || len(got.frames) != 0 {
			t.Error("something came after the end")
		}
	})
}

func TestLinkTellsTheReasonToALateReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		l.Close(0, "not needed")
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer sees %v", err)
		}
		got := receive(l, true)
		if err := <-got.closed; !errors.Is(err, transport.ErrEnded) || !strings.Contains(err.Error(), "not needed") {
			t.Errorf("closed with %v", err)
		}
	})
}

func TestLinkReceiveTwicePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		defer far.Close()
		receive(l, true)
		defer l.Close(0, "")
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		receive(l, true)
	})
}

func TestLinkWaitsForTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		got := receive(l, false)
		written := 0
		go func() {
			for range transport.Window + 10 {
				if _, err := io.WriteString(far, "frame\f"); err != nil {
					return
				}
				written++
			}
		}()
		synctest.Wait()
		// one is read and waits
		if len(got.frames) != transport.Window || written != transport.Window+1 {
			t.Fatalf("%d delivered, %d written; want %d, %d", len(got.frames), written, transport.Window, transport.Window+1)
		}
		for range 5 {
			l.Ack()
		}
		synctest.Wait()
		if len(got.frames) != transport.Window+5 {
			t.Errorf("%d delivered after 5 more were taken", len(got.frames))
		}
		l.Close(0, "done") // with the reader waiting
		<-got.closed
		_ = far.Close()
	})
}

func TestLinkTookTooOftenIsHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		l.Ack()
		got := receive(l, true)
		_, _ = io.WriteString(far, "a\f")
		if f := <-got.frames; f != "a" {
			t.Errorf("got %q", f)
		}
		l.Close(0, "")
		<-got.closed
	})
}

func TestLinkWritesWholeFramesInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		buffer := []byte("frame 0")
		var want strings.Builder
		for i := range 5 {
			buffer[6] = byte('0' + i) // Send copies
			if err := l.Send(buffer); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&want, "frame %d\f", i)
			synctest.Wait() // the writer hangs at frame 0
		}
		in := make([]byte, 1024)
		n, _ := far.Read(in)
		m, _ := far.Read(in[n:])
		if string(in[:n]) != "frame 0\f" || string(in[:n+m]) != want.String() {
			t.Errorf("read %q, then %q", in[:n], in[n:n+m])
		}
		l.Close(0, "")
	})
}

func TestLinkRefusesBadFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		got := drain(far)
		if err := l.Send(make([]byte, MaxFrame+1)); !errors.Is(err, transport.ErrTooLarge) || !strings.Contains(err.Error(), "8388609 bytes, limit 8388608") {
			t.Errorf("too large: %v", err)
		}
		for _, f := range []string{"", "a\fb"} {
			if err := l.Send([]byte(f)); err == nil || errors.Is(err, transport.ErrEnded) {
				t.Errorf("%q: %v", f, err)
			}
		}
		if err := l.Send([]byte("good")); err != nil {
			t.Errorf("the link should live on: %v", err)
		}
		l.Close(0, "")
		if text := <-got; text != "good\f" {
			t.Errorf("the peer got %q", text)
		}
	})
}

func TestLinkEndsAtAFrameOverTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		got := receive(l, true)
		_, err := far.Write(bytes.Repeat([]byte("x"), MaxFrame+readBuffer))
		if reason := <-got.closed; !errors.Is(reason, transport.ErrTooLarge) {
			t.Errorf("closed with %v", reason)
		}
		if _, more := far.Write([]byte("x")); err == nil && more == nil {
			t.Error("the peer was not hung up on")
		}
	})
}

// A peer that reads nothing: one batch is at the socket, the rest fills the queue.
func TestLinkEndsWithAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		got := receive(l, true)
		frame := bytes.Repeat([]byte("x"), MaxFrame-1)
		for i := range 1 + maxQueuedBytes/MaxFrame {
			if err := l.Send(frame); err != nil {
				t.Fatalf("number %d: %v", i, err)
			}
			synctest.Wait()
		}
		if err := l.Send(frame); !errors.Is(err, transport.ErrEnded) || !errors.Is(err, transport.ErrSlowPeer) {
			t.Errorf("one too many: %v", err)
		}
		if err := <-got.closed; !errors.Is(err, transport.ErrSlowPeer) {
			t.Errorf("closed with %v", err)
		}
		_ = far.Close()
	})
}

// Offers to a peer that reads nothing are refused before they could end the link: there is room for
// CONTROL's own frames.
func TestLinkRefusesOffers(t *testing.T) {
	for _, size := range []int{100, 100_000, maxOffered, MaxFrame} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, far := pipe()
				got := receive(l, true)
				frame := bytes.Repeat([]byte("x"), size)
				taken := 0
				for ; l.Offer(frame) == nil; taken++ {
					synctest.Wait()
				}
				if most := 1 + max(1, maxOffered/(size+1)); taken != most {
					t.Errorf("%d offers taken, want one at the socket and %d that wait", taken, most-1)
				}
				if err := l.Offer(frame); !errors.Is(err, transport.ErrBusy) || errors.Is(err, transport.ErrEnded) {
					t.Errorf("one too many: %v", err)
				}
				if err := l.Send([]byte("HELLO")); err != nil {
					t.Errorf("a packet of our own: %v", err)
				}
				all := drain(far)
				synctest.Wait()
				if err := l.Offer([]byte("once more")); err != nil {
					t.Errorf("after the peer had read: %v", err)
				}
				l.Close(0, "")
				if text := <-all; strings.Count(text, "\f") != taken+2 || !strings.HasSuffix(text, "once more\f") {
					t.Errorf("the peer got %d frames, want %d", strings.Count(text, "\f"), taken+2)
				}
				<-got.closed
				if err := l.Offer(frame); !errors.Is(err, transport.ErrEnded) {
					t.Errorf("after the end: %v", err)
				}
			})
		})
	}
}

// A slow peer does not count as one that reads nothing.
func TestLinkWaitsForASlowPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		got := receive(l, true)
		_ = l.Send(bytes.Repeat([]byte("x"), 10))
		for range 11 {
			time.Sleep(writeFor - time.Second)
			_, _ = far.Read(make([]byte, 1))
		}
		synctest.Wait()
		select {
		case err := <-got.closed:
			t.Errorf("closed with %v", err)
		default:
		}
		l.Close(0, "")
		_ = far.Close()
		<-got.closed
	})
}

func TestLinkEndsWhenNothingIsTakenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		defer far.Close()
		got := receive(l, true)
		began := time.Now()
		_ = l.Send([]byte("x"))
		if err := <-got.closed; !errors.Is(err, transport.ErrSlowPeer) {
			t.Errorf("closed with %v", err)
		}
		if took := time.Since(began); took != writeFor {
			t.Errorf("after %s, want %s", took, writeFor)
		}
	})
}

func TestLinkCloseFlushesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		got := receive(l, true)
		_ = l.Send([]byte("a"))
		synctest.Wait()
		_ = l.Send([]byte("b"))
		l.Close(0, "bye")
		if err := l.Send([]byte("c")); !errors.Is(err, transport.ErrEnded) {
			t.Errorf("Send after Close: %v", err)
		}
		if text := <-drain(far); text != "a\fb\f" {
			t.Errorf("the peer got %q", text)
		}
		if err := <-got.closed; !errors.Is(err, transport.ErrEnded) || !strings.Contains(err.Error(), "bye") {
			t.Errorf("closed with %v", err)
		}
	})
}

func TestLinkCloseFlushesForASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := pipe()
		defer far.Close()
		got := receive(l, true)
		_ = l.Send([]byte("a"))
		synctest.Wait()
		_ = l.Send([]byte("b"))
		began := time.Now()
		l.Close(0, "bye")
		l.Close(0, "once more")
		_, _ = io.ReadFull(far, make([]byte, len("a\f"))) // and no more
		if err := <-got.closed; !strings.Contains(err.Error(), "bye") {
			t.Errorf("closed with %v", err)
		}
		if took := time.Since(began); took != flushFor {
			t.Errorf("after %s, want %s", took, flushFor)
		}
	})
}

// A link without a receiver has no goroutine: it needs nothing but Close.
func TestLinkAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, received := range []bool{false, true} {
			l, far := pipe()
			var got listener
			if received {
				got = receive(l, true)
			}
			l.abandon()
			if open := l.Send([]byte("x")) == nil; open != received {
				t.Errorf("received %t: open %t", received, open)
			}
			_ = far.Close()
			if received {
				<-got.closed
			}
		}
	})
}
