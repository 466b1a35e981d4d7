package master

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport"
)

// MaxFrame is the size limit of a frame both ways, in bytes: upstream's maxPayload (PROTOCOL A6,
// B1). Send refuses a longer one; a longer one received ends the link with close code 1009.
const MaxFrame = 1 << 20

const (
	pingEvery = 5 * time.Second  // both ways, so that an idle link shows life (PROTOCOL B1, Clocks)
	silence   = 10 * time.Second // without one byte from the peer it is dead (PROTOCOL B1, Clocks)
	// for one frame to leave; a peer that takes nothing for this time blocks everything queued
	// behind it
	writeWait = 10 * time.Second
	closeWait = time.Second // for the whole end: queued frames, our close frame, the peer's

	// frames waiting to be written: the permit requests of all shards of a large machine at once
	queueFrames = 1 << 14
	queueBytes  = 16 << 20 // and their bytes
)

// link is a transport.Link over an open websocket. One goroutine writes from the start; another
// reads from Receive on.
//
//	open ──── Close, the peer's close, an error: leave ────▶ leaving ──── done, or closeWait: cut ────▶ cut
//
// A binary message is not a packet (PROTOCOL A6: "ANY binary frame" is malformed, even valid JSON).
// It is delivered as a text that no codec accepts, so that it is refused, logged and counted like
// every malformed frame.
type link struct {
	ws      *websocket.Conn
	written chan struct{} // closed when the writer has ended

	mu        sync.Mutex
	more      sync.Cond // something to write, or leaving
	room      sync.Cond // a frame was acked, or leaving, or cut
	queue     [][]byte
	queued    int // bytes in queue
	pong      []byte
	pingDue   bool
	pinger    *time.Timer
	bye       []byte // close frame still to write; nil: none
	underway  int    // frames delivered and not acked
	receiving bool
	why       error // the reason for leaving; nil: open
	// by our Close: queued frames are still written, received ones are dropped
	deaf   bool
	torn   bool        // by a failed write
	isCut  bool        // the connection is closed
	cutter *time.Timer // cuts when leaving takes too long
}

// newLink takes over ws, whose handshake is done.
func newLink(ws *websocket.Conn) *link {
	l := &link{ws: ws, written: make(chan struct{})}
	l.more.L, l.room.L = &l.mu, &l.mu
	ws.SetReadLimit(MaxFrame)
	ws.SetPingHandler(l.onPing)
	ws.SetPongHandler(func(string) error { return l.alive() })
	ws.SetCloseHandler(func(int, string) error { return nil }) // the writer answers it
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pinger = time.AfterFunc(pingEvery, l.duePing)
	go l.write()
	return l
}

// Receive starts delivery. Nothing is read before it: what the peer sent waits in the socket.
func (l *link) Receive(frame func([]byte), closed func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.receiving = true
	go l.read(frame, closed)
}

// Ack frees one frame's place in the window.
func (l *link) Ack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.underway = max(l.underway-1, 0)
	l.room.Signal()
}

// Send queues one frame. The link keeps it until it is written.
func (l *link) Send(frame []byte) error {
	if len(frame) > MaxFrame {
		return fmt.Errorf("send %d bytes, over %d: %w", len(frame), MaxFrame, transport.ErrTooLarge)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why != nil {
		return fmt.Errorf("send: %w: %w", transport.ErrEnded, l.why)
	}
	if len(l.queue) == queueFrames || l.queued+len(frame) > queueBytes {
		l.leave(fmt.Errorf("send: %d frames, %d bytes queued: %w", len(l.queue), l.queued, transport.ErrSlowPeer), nil)
		l.cut() // at once: that peer blocks the writer
		return fmt.Errorf("%w: %w", transport.ErrEnded, l.why)
	}
	l.queue = append(l.queue, frame)
	l.queued += len(frame)
	l.more.Signal()
	return nil
}

// Offer is Send: all frames to MASTER are CONTROL's own and must arrive.
func (l *link) Offer(frame []byte) error { return l.Send(bytes.Clone(frame)) }

// Close ends the link: queued frames, then a close frame with this code (0: 1000), then the peer's
// close or the end of closeWait. Frames that still arrive are dropped. closed gets an error that
// wraps transport.ErrEnded.
func (l *link) Close(code int, reason string) {
	if code == 0 {
		code = websocket.CloseNormalClosure
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close(code, reason)
}

func (l *link) close(code int, reason string) {
	if l.leave(fmt.Errorf("closed by us with %d: %w", code, transport.ErrEnded), closeFrame(code, reason)) {
		l.deaf = true
	}
}

// abandon closes a link without a receiver.
func (l *link) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.receiving {
		l.close(websocket.CloseNormalClosure, "")
	}
}

// leave starts the end. Only the first reason counts: leave reports whether this is it. mu is held.
func (l *link) leave(why error, bye []byte) bool {
	if l.why != nil {
		return false
	}
	l.why, l.bye = why, bye
	l.pinger.Stop()
	l.cutter = time.AfterFunc(closeWait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cut()
	})
	l.more.Broadcast()
	l.room.Broadcast()
	return true
}

// cut closes the connection, which ends reads and writes under way. mu is held, and the link is
// leaving.
func (l *link) cut() {
	if !l.isCut {
		l.isCut = true
		l.cutter.Stop()
		socket(l.ws).Close()
		l.room.Broadcast()
	}
}

// socket returns the connection below TLS: tls.Conn's own Close waits up to 5 s for a peer that
// takes nothing, and callers of cut hold mu.
func socket(ws *websocket.Conn) net.Conn {
	if over, ok := ws.NetConn().(*tls.Conn); ok {
		return over.NetConn()
	}
	return ws.NetConn()
}

// read delivers frames until the link ends, then reports the reason.
func (l *link) read(frame func([]byte), closed func(error)) {
	var err error
	for {
		var b []byte
		if b, err = l.next(); err != nil {
			break
		}
		if l.enter() {
			frame(b)
		}
	}
	end := endOf(err)
	l.mu.Lock()
	if !l.leave(end.why, end.answer) && l.torn && end.answer != nil {
		l.why = end.why // the peer's close code explains more than the failed write
	}
	l.mu.Unlock()
	// gorilla sent the close frame; unread bytes would turn the end of the connection into a reset
	// that overtakes it
	if end.refused {
		_, _ = io.Copy(io.Discard, l.ws.NetConn())
	}
	<-l.written
	l.mu.Lock()
	l.cut()
	why := l.why
	l.mu.Unlock()
	closed(why)
}

// next reads one message. Each part of it restarts the deadline of silence, which counts only while
// next reads, however long the last frame waited for its Ack.
func (l *link) next() ([]byte, error) {
	if err := l.alive(); err != nil {
		return nil, err
	}
	kind, parts, err := l.ws.NextReader()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(living{parts, l})
	if err == nil && kind == websocket.BinaryMessage {
		b = fmt.Appendf(nil, "binary message of %d bytes", len(b))
	}
	return b, err
}

// living reads a message and restarts the deadline at each part.
type living struct {
	io.Reader
	l *link
}

func (r living) Read(b []byte) (int, error) {
	if err := r.l.alive(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

func (l *link) alive() error { return l.ws.SetReadDeadline(time.Now().Add(silence)) }

// enter waits for a place in the window. It reports false when the frame must be dropped.
func (l *link) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.underway >= transport.Window && !l.deaf && !l.isCut {
		l.room.Wait()
	}
	if l.deaf || l.isCut {
		return false
	}
	l.underway++
	return true
}

// onPing leaves the pong to the writer; of several pings the last is answered (RFC 6455, 5.5.3).
func (l *link) onPing(payload string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pong = []byte(payload)
	l.more.Signal()
	return l.alive()
}

func (l *link) duePing() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pingDue = true
	l.more.Signal()
}
