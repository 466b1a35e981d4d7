package ipc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/discluster/control/transport"
)

// Limits of a link's send queue; the batch being written does not count.
const (
	// bytes; beyond it Offer refuses frames, except that an empty queue takes one of any size
	maxOffered = 4 << 20
	// bytes; beyond it the peer is too slow and the link ends with transport.ErrSlowPeer: two
	// frames of the largest size
	maxQueuedBytes = 16 << 20
	// without progress. CONTROL notices a bot that hangs much sooner, by its heartbeats; this frees
	// the memory of a peer that is not watched
	writeFor  = time.Minute
	pieceSize = 64 << 10    // bytes of one write; a larger frame is written as one
	flushFor  = time.Second // after Close, as in transport.Link
	lingerFor = time.Second // for frames that the peer wrote before it left
)

// link is a transport.Link over a stream socket. While idle it has no goroutine: Receive starts the
// reader, Send a writer that ends with an empty queue.
//
//	open ──Close──▶ flushing ──queue empty, 1 s──▶ gone
//	  │ ├──write fails: the peer is gone──▶ lingering ──its last frames were read──▶ gone
//	  └─┴──it left, or broke a limit──▶ gone
//
// reason is set when the link leaves open, and is closed's argument. Inbound, a link holds at most
// transport.Window frames of MaxFrame.
type link struct {
	conn   net.Conn
	window chan struct{} // one token for each delivered frame, until Ack
	gone   chan struct{} // closed together with conn

	mu       sync.Mutex
	reason   error // why the link ends; nil while it is open
	received bool
	// of whole frames, each with its separator; several to a piece where they are small
	queue   [][]byte
	queued  int       // bytes in queue
	written int       // pieces of queue that the writer has taken
	timed   time.Time // when the deadline of writes was set last
	writing bool      // a writer is running
	writer  func()    // write, made once
	quiet   quietWrite
	closeBy time.Time // the end of flushing; zero before Close
}

// newLink makes a link of an open connection, which the link owns from then on.
func newLink(conn net.Conn) *link {
	l := &link{conn: conn, window: make(chan struct{}, transport.Window), gone: make(chan struct{})}
	l.quiet.of(conn)
	l.writer = l.write
	return l
}

// Receive implements transport.Link. A second call is a programming error and panics.
func (l *link) Receive(frame func([]byte), closed func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.received {
		panic("ipc: Receive called twice on one link")
	}
	l.received = true
	go l.read(frame, closed)
}

// Ack implements transport.Link.
func (l *link) Ack() {
	select {
	case <-l.window:
	default: // no frame was unacked
	}
}

// Send implements transport.Link. It copies the frame. A frame that is empty or contains a
// separator is an error and does not end the link.
func (l *link) Send(frame []byte) error {
	if err := sendable(frame); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil && l.queued+len(frame)+1 > maxQueuedBytes {
		l.reason = fmt.Errorf("send ipc frame: %d bytes are waiting: %w", l.queued, transport.ErrSlowPeer)
		l.hangUp()
		return fmt.Errorf("%w: %w", transport.ErrEnded, l.reason)
	}
	return l.push(frame)
}

// Offer implements transport.Link, as Send does.
func (l *link) Offer(frame []byte) error {
	if err := sendable(frame); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil && l.queued > 0 && l.queued+len(frame)+1 > maxOffered {
		return fmt.Errorf("send ipc frame: %d bytes are waiting: %w", l.queued, transport.ErrBusy)
	}
	return l.push(frame)
}

// sendable returns an error for a frame that no link accepts.
func sendable(frame []byte) error {
	switch {
	case len(frame) > MaxFrame:
		return fmt.Errorf("send ipc frame: %d bytes, limit %d: %w", len(frame), MaxFrame, transport.ErrTooLarge)
	case len(frame) == 0:
		return errors.New("send ipc frame: empty")
	case bytes.IndexByte(frame, separator) >= 0:
		return fmt.Errorf("send ipc frame: contains the separator %#02x", separator)
	}
	return nil
}

// push queues a frame and makes sure that a writer runs. l.mu is held.
func (l *link) push(frame []byte) error {
	if l.reason != nil {
		return fmt.Errorf("send ipc frame: %w", transport.ErrEnded)
	}
	last := len(l.queue) - 1
	if last < l.written || len(l.queue[last])+len(frame)+1 > cap(l.queue[last]) {
		if l.written > 0 && len(l.queue) == cap(l.queue) { // there is room in front
			l.queue, l.written = slices.Delete(l.queue, 0, l.written), 0
		}
		l.queue = append(l.queue, newPiece(len(frame)+1))
		last = len(l.queue) - 1
	}
	l.queue[last] = append(append(l.queue[last], frame...), separator)
	l.queued += len(frame) + 1
	if !l.writing && l.quiet.may() && l.writeNow() {
		return nil
	}
	if !l.writing {
		l.writing = true
		go l.writer()
	}
	return nil
}

// writeNow writes the queue, which is one piece, as far as the socket accepts it without waiting,
// and reports whether that was all. l.mu is held, and there is no writer.
func (l *link) writeNow() (all bool) {
	piece := l.queue[l.written]
	n := l.quiet.write(piece)
	if l.queued -= n; n < len(piece) {
		l.queue[l.written] = piece[:copy(piece, piece[n:])]
		return false
	}
	freePiece(piece)
	l.queue, l.written = l.queue[:0], 0
	return true
}

// spares are pieces that no queue uses.
var spares = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// newPiece returns room for at least size bytes.
func newPiece(size int) []byte {
	if size > pieceSize {
		return make([]byte, 0, size)
	}
	return spares.Get().(*[pieceSize]byte)[:0]
}

// freePiece returns it to the pool.
func freePiece(piece []byte) {
	if cap(piece) == pieceSize {
		spares.Put((*[pieceSize]byte)(piece[:pieceSize]))
	}
}

// Close implements transport.Link. The socket has no close codes; reason is for our own side alone.
func (l *link) Close(_ int, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil {
		l.reason = fmt.Errorf("%w: closed here: %s", transport.ErrEnded, reason)
	}
	switch {
	case !l.writing:
		l.hangUp()
	case l.closeBy.IsZero():
		l.closeBy = time.Now().Add(flushFor)
		_ = l.conn.SetWriteDeadline(l.closeBy)
	}
}

// abandon closes a link without a receiver.
func (l *link) abandon() {
	l.mu.Lock()
	received := l.received
	l.mu.Unlock()
	if !received {
		l.Close(0, "abandoned")
	}
}

// read delivers frames until the link ends, then reports the reason. It is the only reader and the
// only caller of both functions.
func (l *link) read(frame func([]byte), closed func(error)) {
	in := newFrameReader(l.conn)
	for {
		l.linger()
		f, err := in.next()
		if err != nil {
			closed(l.readEnded(err))
			return
		}
		if !l.room() {
			closed(l.readEnded(net.ErrClosed))
			return
		}
		l.quiet.heard.Store(true)
		frame(f)
	}
}

// room waits until one more frame may be delivered, and reports whether the link is still open.
func (l *link) room() bool {
	select {
	case l.window <- struct{}{}: // a select of one is quicker
		return true
	default:
	}
	select {
	case l.window <- struct{}{}:
		return true
	case <-l.gone:
		return false
	}
}

// linger limits the time of each further read on a link that is ending, so that the peer's last
// frames (why it exits) still arrive.
func (l *link) linger() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason != nil {
		_ = l.conn.SetReadDeadline(time.Now().Add(lingerFor))
	}
}

// readEnded ends the link for err, unless it was ending already, and returns the first reason.
func (l *link) readEnded(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil {
		l.reason = peerEnded(err)
	}
	if flushing := l.writing && !l.closeBy.IsZero(); !flushing { // else the writer hangs up
		l.hangUp()
	}
	return l.reason
}

// write writes the queue, whole frames at a time, until it is empty. Upstream's reader needs every
// read to end with a frame's end (PROTOCOL A1).
func (l *link) write() {
	for {
		batch := l.take()
		if len(batch) == 0 {
			return
		}
		for rest := batch; len(rest) > 0; {
			n, err := l.conn.Write(rest)
			if rest = rest[n:]; err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !l.goOn()) {
				l.writeEnded(err)
				return
			}
		}
		freePiece(batch)
	}
}

// goOn restarts the deadline for the rest of a batch: the peer is slow but makes progress. It does
// not while the link is flushing.
func (l *link) goOn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closeBy.IsZero() || l.reason != nil {
		return false
	}
	l.mayWrite()
	return true
}

// mayWrite restarts the deadline of writes, unless it was set a moment ago: setting it takes longer
// than most writes.
func (l *link) mayWrite() {
	if now := time.Now(); now.Sub(l.timed) > time.Second {
		l.timed = now
		_ = l.conn.SetWriteDeadline(now.Add(writeFor))
	}
}

// take returns the next piece for the writer. An empty one ends the writer, and a link that was
// only flushing.
func (l *link) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written == len(l.queue) {
		l.queue, l.written = l.queue[:0], 0
		l.writing = false
		if !l.closeBy.IsZero() {
			l.hangUp()
		}
		return nil
	}
	batch := l.queue[l.written]
	l.queue[l.written] = nil
	l.written++
	l.queued -= len(batch)
	if l.closeBy.IsZero() { // else Close has set it
		l.mayWrite()
	}
	return batch
}

// writeEnded ends the link for err. A peer that is gone may have left frames behind: then the
// socket stays open until the reader has them.
func (l *link) writeEnded(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing, l.queue, l.queued, l.written = false, nil, 0, 0
	if l.reason != nil || !isGone(err) {
		if l.reason == nil && errors.Is(err, os.ErrDeadlineExceeded) {
			l.reason = fmt.Errorf("write ipc frames: not taken within %s: %w", writeFor, transport.ErrSlowPeer)
		} else if l.reason == nil {
			l.reason = fmt.Errorf("write ipc frames: %w", err)
		}
		l.hangUp()
		return
	}
	l.reason = peerEnded(err)
	_ = l.conn.SetReadDeadline(time.Now().Add(lingerFor)) // it may have closed one direction only
}

// hangUp closes the socket, which ends reader and writer. l.mu is held; a second call does nothing.
func (l *link) hangUp() {
	select {
	case <-l.gone:
	default:
		close(l.gone)
		_ = l.conn.Close()
	}
}

// isGone reports whether an error of a socket means that the peer closed its end.
func isGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// peerEnded gives one text to the three errors by which the kernel reports that the peer left.
func peerEnded(err error) error {
	if errors.Is(err, io.EOF) || isGone(err) {
		return fmt.Errorf("the peer closed the ipc link: %w", err)
	}
	return err
}
