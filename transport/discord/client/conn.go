package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/splice"
)

const (
	closeFinal  = 1000 // ends the session (PROTOCOL B5)
	closeResume = 4000 // keeps it

	dialTimeout  = 10 * time.Second // of TCP, TLS and the handshake together
	writeTimeout = 10 * time.Second // a peer that takes no bytes for that long is gone
	// for the peer's half of the closing handshake: without it unread bytes would reset the
	// connection, and our code be lost
	closeTimeout = time.Second
	frameMax     = 4096     // bytes of a frame to Discord (PROTOCOL B5)
	readMax      = 64 << 20 // bytes of a frame from Discord, which states no limit; its largest, a big guild, are a few MiB
	bufMax       = 1 << 20  // bytes of the reader's buffer that it keeps
	kindsMax     = 500      // kinds of events; Discord has about a hundred
	// connections in a row at a session's own URL, 91 s, after which its RESUME tries the general one:
	// that host may be gone for good
	urlTries = 8
)

// FatalError ends Run: a close code that no reconnect cures (messages.FatalCode).
type FatalError struct {
	Code   int
	Reason string
}

// Error is Discordoo's text, which operators know (PROTOCOL A3).
func (e *FatalError) Error() string {
	return fmt.Sprintf("shard can not be connected because it received close code %d with reason %s", e.Code, e.Reason)
}

// CloseCode is the gateway's.
func (e *FatalError) CloseCode() int { return e.Code }

// coded is an error with a close code of the gateway.
type coded interface {
	error
	CloseCode() int
}

// connection is one websocket. Its reader is a goroutine of its own; all else, every write too, is
// Run's.
type connection struct {
	*Client
	ws     *websocket.Conn
	in     chan packet   // from the reader; closed when it ends
	err    error         // why the reader ended; read once in is closed
	quit   chan struct{} // closed: the reader throws away what still comes
	beatAt time.Time     // of the last heartbeat
	acked  bool          // it was answered
	held   *event        // waits for room in the queue; until then nothing is read
	deaf   bool          // we did not read all the time since the last heartbeat: a missing answer proves nothing
}

// address is where to connect: base with the version and encoding we speak. A RESUME must use the
// same (PROTOCOL B5).
func address(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return "", fmt.Errorf("gateway url %q: want ws:// or wss:// and a host", base)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	q := u.Query()
	q.Set("v", "10")
	q.Set("encoding", "json")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// connection lives one connection from its dial to its end, and returns why it ended.
func (c *Client) connection(handler context.Context) error {
	select {
	case <-c.reconnect: // it was meant for the last one
	default:
	}
	c.tell(messages.ShardConnecting, 0)
	k, err := c.dial()
	if err != nil {
		if _, fatal := errors.AsType[coded](err); fatal {
			c.halt(err)
		}
		return err
	}
	err = k.live()
	code := closeResume
	if errors.Is(context.Cause(c.running), errStopped) {
		// with the connection still open, so that no process resumes the session before our handler is
		// done with it
		c.drain(handler)
		if c.ordered().final {
			code = closeFinal
		}
	}
	k.end(code)
	switch code := closeCode(err); {
	case messages.FatalCode(code):
		closed, _ := errors.AsType[*websocket.CloseError](err)
		c.halt(&FatalError{Code: code, Reason: closed.Text})
	case code == 4007 || code == 4009: // invalid seq, session timed out (PROTOCOL B5)
		c.forget()
	}
	return err
}

// base is where to connect. Only a shard without a session depends on the Gateway hook, which asks
// REST.
func (c *Client) base() (string, error) {
	if s := c.Session(); s != nil && s.ResumeGatewayURL != "" && c.fails < urlTries {
		return s.ResumeGatewayURL, nil
	}
	return c.cfg.Gateway(c.running)
}

// dial opens a connection and starts its reader.
func (c *Client) dial() (*connection, error) {
	base, err := c.base()
	if err != nil {
		return nil, fmt.Errorf("find the gateway: %w", err)
	}
	to, err := address(base)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.running, dialTimeout)
	defer cancel()
	dialer := websocket.Dialer{NetDialContext: c.cfg.Dial}
	ws, resp, err := dialer.DialContext(ctx, to, nil)
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("%s: %w", resp.Status, err)
		}
		return nil, fmt.Errorf("connect to %s: %w", base, err)
	}
	ws.SetReadLimit(readMax)
	k := &connection{Client: c, ws: ws, in: make(chan packet), quit: make(chan struct{}), acked: true}
	go k.read()
	return k, nil
}

// read is the reader's goroutine.
func (k *connection) read() {
	defer close(k.in)
	var buf bytes.Buffer
	kinds := map[string]string{}
	for {
		var p packet
		if p, k.err = k.next(&buf, kinds); k.err != nil {
			return
		}
		select {
		case k.in <- p:
		case <-k.quit:
		}
	}
}

// next reads one packet. What it returns shares nothing with buf.
func (k *connection) next(buf *bytes.Buffer, kinds map[string]string) (packet, error) {
	_, from, err := k.ws.NextReader()
	if err != nil {
		return packet{}, err
	}
	if buf.Cap() > bufMax {
		*buf = bytes.Buffer{}
	}
	buf.Reset()
	if _, err := buf.ReadFrom(from); err != nil {
		return packet{}, err
	}
	return parse(buf.Bytes(), kinds)
}

// parse finds a packet in a frame, without decoding its data. kinds has the kinds that came before,
// so that an event costs no text of its own.
func parse(frame []byte, kinds map[string]string) (p packet, err error) {
	known := false
	for key, v := range splice.Fields(frame) {
		switch string(key) {
		case "op":
			var op int64
			op, known = splice.Int(v)
			p.Op = int(op)
		case "s":
			p.Seq, _ = splice.Int(v) // or null
		case "t":
			if p.Kind, _ = kinds[string(v)]; p.Kind == "" {
				if p.Kind = splice.String(v); len(kinds) < kindsMax {
					kinds[string(v)] = p.Kind
				}
			}
		case "d":
			p.Data = bytes.Clone(v)
		}
	}
	if !known {
		return packet{}, fmt.Errorf("read a gateway frame: %.60q has no op", frame)
	}
	return p, nil
}

// write writes one packet, for at most writeTimeout. One over frameMax can only come of a token
// that is none: it ends Run.
func (k *connection) write(op int, data any) error {
	frame, err := json.Marshal(map[string]any{"op": op, "d": data})
	if err == nil && len(frame) > frameMax {
		err = fmt.Errorf("gateway op %d has %d bytes: Discord takes %d", op, len(frame), frameMax)
	}
	if err != nil {
		k.halt(err)
		return err
	}
	_ = k.ws.SetWriteDeadline(time.Now().Add(writeTimeout)) // its error is the write's
	if err := k.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
		return fmt.Errorf("write gateway op %d: %w", op, err)
	}
	return nil
}

// end closes the connection and awaits its reader. Where the peer closed first there is no peer
// left to read the code.
func (k *connection) end(code int) {
	close(k.quit)
	until := time.Now().Add(closeTimeout)
	_ = k.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), until)
	_ = k.ws.SetReadDeadline(until)
	for range k.in { // to its end
	}
	_ = k.ws.Close()
}

// closeCode is the code Discord closed with, 0 where it gave none: the connection vanished, or was
// never there.
func closeCode(err error) int {
	closed, ok := errors.AsType[*websocket.CloseError](err)
	if !ok || closed.Code == websocket.CloseAbnormalClosure || closed.Code == websocket.CloseNoStatusReceived {
		return 0
	}
	return closed.Code
}
