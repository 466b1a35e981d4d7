//go:build linux

package bench

import (
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A bare socket blocks its sender, the Router refuses what a reader takes too slowly, and the SDK
// drops what a handler takes too slowly. Therefore the receiver pays the sender a credit for each
// batch of messages, and no more of them are in flight than this.
const (
	batch            = 16
	inFlight         = 2 << 20 // bytes
	inFlightMessages = 768
)

// receiveFor bounds the time of a run of messages: a lost message ends the run with an error.
const receiveFor = 30 * time.Second

// advance returns the credits that the receiver pays before the first message.
func advance(size int) int { return max(min(inFlight/size, inFlightMessages)/batch, 2) }

// paced sends n messages, each with send, a batch for each credit, and returns when all were
// received. It sends nothing before the receiver pays, which is when that expects messages.
func paced(earned net.Conn, n int, send func() error) error {
	credit := make(chan struct{}, n/batch+inFlightMessages)
	go func() {
		buf := make([]byte, 256)
		for {
			got, err := earned.Read(buf)
			for range got {
				credit <- struct{}{}
			}
			if err != nil {
				close(credit)
				return
			}
		}
	}()
	for i := range n {
		if i%batch == 0 {
			if _, open := <-credit; !open {
				return io.ErrUnexpectedEOF
			}
		}
		if err := send(); err != nil {
			return err
		}
	}
	for range credit { // until the receiver has all
	}
	return nil
}

// creditor waits for the sender of messages at a path.
func creditor(path string) (credits net.Conn, stop func(), err error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, nil, err
	}
	c, err := l.Accept()
	if err != nil {
		return nil, nil, err
	}
	return c, func() { _ = c.Close(); _ = l.Close() }, nil
}

// pay gives the sender credits.
func pay(to net.Conn, credits int) error {
	_, err := to.Write(make([]byte, credits))
	return err
}

// within waits for the end of a run.
func within(done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(receiveFor):
		return fmt.Errorf("not all messages within %s", receiveFor)
	}
}

// A message that is sent before the receiver expects it is not counted, and the receiver waits for
// it forever.
func TestNothingIsSentBeforeTheReceiverPays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		receiver, sender := net.Pipe()
		sent, done := 0, make(chan error, 1)
		go func() { done <- paced(sender, 3*batch, func() error { sent++; return nil }) }()
		for credits := range 4 {
			synctest.Wait()
			if want := credits * batch; sent != want {
				t.Fatalf("%d messages for %d credits, want %d", sent, credits, want)
			}
			if err := pay(receiver, 1); err != nil {
				t.Fatal(err)
			}
		}
		_ = receiver.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}
