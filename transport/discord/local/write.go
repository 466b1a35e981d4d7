package local

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// write sends what there is, until the connection ends.
func (c *conn) write() {
	defer func() { _ = c.out.Flush() }() // its error shows at the reader, too
	ping := time.NewTicker(c.s.cfg.Ping)
	defer ping.Stop()
	later := time.NewTimer(time.Hour)
	defer later.Stop()
	for {
		payload, at, over := c.next()
		if over != nil {
			c.bye(over)
			return
		}
		if payload != nil {
			if c.send(payload) != nil {
				_ = c.ws.Close() // the reader ends
				return
			}
		} else if c.out.Flush() != nil {
			_ = c.ws.Close()
			return
		}
		wait := c.wake
		if payload != nil {
			wait = ready
		} else if !at.IsZero() {
			later.Reset(time.Until(at))
		}
		select {
		case <-wait:
		case <-later.C:
		case <-ping.C:
			c.ping()
		case <-c.done:
			return
		}
	}
}

// ready is a channel from which one can always receive.
var ready = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// next returns the next payload, good until the next call; without one, when there may be one
// though nothing happens; or the end.
func (c *conn) next() (payload []byte, at time.Time, over *ending) {
	c.mu.Lock()
	b := c.bridge
	if len(c.control) > 0 {
		payload, c.control = c.control[0], c.control[1:]
	} else if c.ending != nil {
		over = c.ending
	}
	c.mu.Unlock()
	if payload != nil || over != nil || b == nil {
		return payload, time.Time{}, over
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != c {
		return nil, time.Time{}, nil
	}
	f, ok := b.shard.Next(time.Now())
	c.s.effects(b)
	if !ok {
		return nil, b.shard.Wake(), nil
	}
	if cap(c.buf) > bufMax { // a large guild went through
		c.buf = nil
	}
	c.buf = f.append(c.buf[:0])
	return c.buf, time.Time{}, nil
}

// append appends the frame's payload to b. What Discord sent is not decoded.
func (f Frame) append(b []byte) []byte {
	b = append(b, `{"t":`...)
	if f.Op == OpDispatch {
		b = append(appendText(b, f.Kind), `,"s":`...)
		b = strconv.AppendInt(b, f.Seq, 10)
	} else {
		b = append(b, `null,"s":null`...)
	}
	b = append(b, `,"op":`...)
	b = append(strconv.AppendInt(b, int64(f.Op), 10), `,"d":`...)
	if f.Data == nil {
		b = append(b, "null"...)
	}
	return append(append(b, f.Data...), '}')
}

// appendText appends a text as JSON. Every kind of event that is known needs no escape.
func appendText(b []byte, text string) []byte {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			raw, _ := json.Marshal(text) // a text always can be
			return append(b, raw...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

func (c *conn) send(payload []byte) error {
	frame, err := c.packer.Pack(payload)
	if err != nil {
		return err
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeWait)) // its error is the write's
	return c.ws.WriteMessage(c.packer.Kind, frame)
}

// signal writes a control frame at once.
func (c *conn) signal(kind int, data []byte) error {
	if err := c.ws.WriteControl(kind, data, time.Now().Add(closeWait)); err != nil {
		return err
	}
	return c.out.Flush()
}

// ping asks whether the process lives, and ends a connection that is silent.
func (c *conn) ping() {
	_ = c.signal(websocket.PingMessage, nil) // an error shows at the next write
	silent := time.Since(time.Unix(0, c.beat.Load()))
	switch limit := 2*c.s.cfg.Heartbeat + c.s.cfg.Ping; {
	case silent > limit:
		c.refuse(refused(closeSilent, "No heartbeat came within %s.", limit))
	case c.bridged() == nil && time.Since(c.opened) > identifyWait:
		c.refuse(refused(closeNoIdentify, "No IDENTIFY came within %s.", identifyWait))
	}
}

// bye sends a close frame and gives the bot a moment to answer it.
func (c *conn) bye(e *ending) {
	_ = c.signal(websocket.CloseMessage, websocket.FormatCloseMessage(e.code, short(e.reason)))
	_ = c.out.SetReadDeadline(time.Now().Add(closeWait)) // the websocket's own is the reader's
}

// short cuts a reason to what a close frame takes, 123 bytes.
func short(reason string) string {
	const most = 123
	if len(reason) <= most {
		return reason
	}
	return strings.ToValidUTF8(reason[:most], "")
}
