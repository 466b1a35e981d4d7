package machine

import (
	"errors"
	"testing"

	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/admin"
)

// scriptedLink is a link that delivers a test's frames and refuses long ones.
type scriptedLink struct {
	transport.Link
	frame  func([]byte)
	closed func(error)
}

func (s *scriptedLink) Receive(frame func([]byte), closed func(error)) {
	s.frame, s.closed = frame, closed
}

func (s *scriptedLink) Send(frame []byte) error {
	if len(frame) > 10 {
		return transport.ErrTooLarge
	}
	return nil
}

func (s *scriptedLink) Offer([]byte) error { return transport.ErrBusy }

func TestLinksAreCounted(t *testing.T) {
	var l links
	raw := &scriptedLink{}
	link := l.count(raw, &l.ipc)
	heard, ended := "", error(nil)
	link.Receive(func(b []byte) { heard += string(b) }, func(err error) { ended = err })
	raw.frame([]byte("abc"))
	raw.frame([]byte("de"))
	if err := link.Send(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if err := link.Send(make([]byte, 11)); !errors.Is(err, transport.ErrTooLarge) {
		t.Error(err)
	}
	if err := link.Offer(nil); !errors.Is(err, transport.ErrBusy) {
		t.Error(err)
	}
	want := admin.Traffic{Open: 1, FramesIn: 2, BytesIn: 5, FramesOut: 1, BytesOut: 10, Refused: 2}
	if got := l.figures(); got["ipc"] != want || got["master"] != (admin.Traffic{}) {
		t.Errorf("%+v", got)
	}
	settled := make(chan struct{})
	go func() { l.waitClosed(); close(settled) }()
	select {
	case <-settled:
		t.Error("settled with an open link")
	default:
	}
	raw.closed(transport.ErrEnded)
	<-settled
	if heard != "abcde" || !errors.Is(ended, transport.ErrEnded) || l.figures()["ipc"].Open != 0 {
		t.Errorf("heard %q, ended by %v, %+v", heard, ended, l.figures())
	}
}
