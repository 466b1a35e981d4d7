package machine

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/admin"
	"github.com/discluster/control/transport/master"
)

// links counts the traffic of one World's links by kind, and can wait until all have closed.
type links struct {
	master, ipc traffic
	open        sync.WaitGroup
}

// closeLimit bounds the wait for the links to close: a little more than a link takes for its last
// frames (transport.Link).
const closeLimit = 1500 * time.Millisecond

// waitClosed waits until every link has closed, so that the last frames are sent before the process
// ends; else the peer would see a broken link. Call it after the actors have ended.
func (l *links) waitClosed() {
	closed := make(chan struct{})
	go func() { l.open.Wait(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(closeLimit):
	}
}

// count returns a link whose traffic is counted in t.
func (l *links) count(link transport.Link, t *traffic) transport.Link {
	return &counted{Link: link, traffic: t, all: &l.open}
}

// listen is World.Listen with counted links, as MASTER has them.
func (l *links) listen(address string, accept func(transport.Link, transport.Greeting)) (string, func(), error) {
	return master.Listen(address, func(link transport.Link, g transport.Greeting) { accept(l.count(link, &l.master), g) })
}

// traffic holds the counters of all links of a kind.
type traffic struct{ open, framesIn, framesOut, bytesIn, bytesOut, refused atomic.Int64 }

// figures returns the counters as the admin server shows them.
func (t *traffic) figures() admin.Traffic {
	return admin.Traffic{Open: t.open.Load(), FramesIn: t.framesIn.Load(), FramesOut: t.framesOut.Load(), BytesIn: t.bytesIn.Load(), BytesOut: t.bytesOut.Load(), Refused: t.refused.Load()}
}

func (l *links) figures() map[string]admin.Traffic {
	return map[string]admin.Traffic{"master": l.master.figures(), "ipc": l.ipc.figures()}
}

// dial is World.Dial with counted links.
func (l *links) dial(to transport.Target, done func(transport.Link, error)) func() {
	t := &l.master
	if strings.HasPrefix(to.URL, "unix:") {
		t = &l.ipc
	}
	return dial(to, func(link transport.Link, err error) {
		if link != nil {
			link = l.count(link, t)
		}
		done(link, err)
	})
}

// counted is a link whose frames are counted.
type counted struct {
	transport.Link
	*traffic
	all *sync.WaitGroup
}

// Receive is part of transport.Link.
func (c *counted) Receive(frame func([]byte), closed func(error)) {
	c.open.Add(1)
	c.all.Add(1)
	c.Link.Receive(func(b []byte) {
		c.framesIn.Add(1)
		c.bytesIn.Add(int64(len(b)))
		frame(b)
	}, func(err error) {
		c.open.Add(-1)
		closed(err)
		c.all.Done()
	})
}

// Send is part of transport.Link.
func (c *counted) Send(frame []byte) error { return c.sent(frame, c.Link.Send(frame)) }

// Offer is part of transport.Link.
func (c *counted) Offer(frame []byte) error { return c.sent(frame, c.Link.Offer(frame)) }

// sent counts a frame that was accepted or refused.
func (c *counted) sent(frame []byte, err error) error {
	if err != nil {
		c.refused.Add(1)
		return err
	}
	c.framesOut.Add(1)
	c.bytesOut.Add(int64(len(frame)))
	return nil
}
