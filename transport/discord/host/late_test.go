package host

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
)

// A connection waits until the shards have their sessions; one that comes after the end is closed.
func TestLate(t *testing.T) {
	open := func() (*late, chan struct{}, net.Listener) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		until := make(chan struct{})
		return newLate(l, until), until, l
	}
	l, until, _ := open()
	var begun atomic.Bool
	inTime := make(chan bool, 1)
	go func() {
		c, err := l.Accept()
		inTime <- err == nil && begun.Load()
		if err == nil {
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	begun.Store(true)
	close(until)
	if !<-inTime {
		t.Error("accepted before the shards had their sessions")
	}
	_ = l.Close()

	l, _, _ = open()
	ended := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
