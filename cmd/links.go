package cmd

import (
	"strings"
	"sync/atomic"

	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/admin"
)

// links counts what goes over the links of one World, by what they lead to.
type links struct{ master, ipc traffic }

// traffic is counted over all links of a kind.
type traffic struct{ open, framesIn, framesOut, bytesIn, bytesOut, refused atomic.Int64 }

// figures are those of the admin server.
func (t *traffic) figures() admin.Traffic {
	return admin.Traffic{Open: t.open.Load(), FramesIn: t.framesIn.Load(), FramesOut: t.framesOut.Load(), BytesIn: t.bytesIn.Load(), BytesOut: t.bytesOut.Load(), Refused: t.refused.Load()}
}

func (l *links) figures() map[string]admin.Traffic {
	return map[string]admin.Traffic{"master": l.master.figures(), "ipc": l.ipc.figures()}
}

// dial is World.Dial with links that are counted.
func (l *links) dial(to transport.Target, done func(transport.Link, error)) func() {
	t := &l.master
	if strings.HasPrefix(to.URL, "unix:") {
		t = &l.ipc
	}
	return dial(to, func(link transport.Link, err error) {
		if link != nil {
			link = &counted{Link: link, traffic: t}
		}
		done(link, err)
	})
}

// counted is a link whose frames are counted.
type counted struct {
	transport.Link
	*traffic
}

// Receive is part of transport.Link.
func (c *counted) Receive(frame func([]byte), closed func(error)) {
	c.open.Add(1)
	c.Link.Receive(func(b []byte) {
		c.framesIn.Add(1)
		c.bytesIn.Add(int64(len(b)))
		frame(b)
	}, func(err error) {
		c.open.Add(-1)
		closed(err)
	})
}

// Send is part of transport.Link.
func (c *counted) Send(frame []byte) error { return c.sent(frame, c.Link.Send(frame)) }

// Offer is part of transport.Link.
func (c *counted) Offer(frame []byte) error { return c.sent(frame, c.Link.Offer(frame)) }

// sent counts a frame that was taken, or was not.
func (c *counted) sent(frame []byte, err error) error {
	if err != nil {
		c.refused.Add(1)
		return err
	}
	c.framesOut.Add(1)
	c.bytesOut.Add(int64(len(frame)))
	return nil
}
