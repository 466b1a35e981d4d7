package master

import (
	"errors"
	"fmt"
	"time"

	"github.com/gorilla/websocket"
)

// write is the only goroutine that writes, control frames included: a pong written by the reader
// would wait for a data frame that the peer blocks, and a control frame that misses its deadline
// leaves the websocket unusable.
func (l *link) write() {
	defer close(l.written)
	for {
		kind, payload, ok := l.outgoing()
		if !ok {
			return
		}
		if err := l.put(kind, payload); err != nil {
			l.tear(err)
			return
		}
	}
}

// outgoing waits for the next message to write. It reports false when there will be none.
func (l *link) outgoing() (kind int, payload []byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch open := l.why == nil; {
		case open && l.pong != nil:
			payload, l.pong = l.pong, nil
			return websocket.PongMessage, payload, true
		case open && l.pingDue:
			l.pingDue = false
			l.pinger.Reset(pingEvery)
			return websocket.PingMessage, nil, true
		case len(l.queue) > 0 && (open || l.deaf):
			payload = l.queue[0]
			l.queue = l.queue[1:]
			l.queued -= len(payload)
			return websocket.TextMessage, payload, true
		case l.bye != nil:
			payload, l.bye = l.bye, nil
			return websocket.CloseMessage, payload, true
		case !open:
			return 0, nil, false
		}
		l.more.Wait()
	}
}

// put writes one frame.
func (l *link) put(kind int, payload []byte) error {
	deadline := time.Now().Add(writeWait)
	if kind != websocket.TextMessage {
		return l.ws.WriteControl(kind, payload, deadline)
	}
	_ = l.ws.SetWriteDeadline(deadline) // only stored; WriteMessage returns its errors
	return l.ws.WriteMessage(kind, payload)
}

// tear starts the end after a failed write. The reader has closeWait to find the peer's own reason
// among what it sent before.
func (l *link) tear(err error) {
	if errors.Is(err, websocket.ErrCloseSent) {
		return // gorilla refused the peer from within the reader, which will report the reason
	}
	if timedOut(err) {
		err = fmt.Errorf("takes nothing for %s: %w", writeWait, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leave(vanished(err), nil) {
		l.torn = true
	}
}
