package guest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Limits of a channel, in bytes.
const (
	queueMax  = 2 * LineMax // of the lines that wait for a bot that does not read
	queueRest = 1 << 20     // beyond it, for lines of at most smallLine: so errors still find room
	smallLine = 8 << 10

	// wholeMax is the longest line that the kernel takes whole or not at all (Linux): the death of
	// this process cannot cut it
	wholeMax = 32 << 10

	readSize = 64 << 10
)

// Errors of Send.
var (
	ErrBusy  = errors.New("the bot does not read its messages")
	ErrEnded = errors.New("the bot has closed its channel")
)

// Handler gets what happens on a channel, one call at a time, but for Cuts. Until Line returns,
// nothing more of the bot is read.
type Handler struct {
	Line  func(line []byte) // valid until it returns
	Long  func()            // a line over LongMax was skipped
	Ended func(err error)   // the bot, or its end of the channel, is gone; nothing follows
	// Cuts is called with true before a line is written that the death of this process may cut, and
	// with false after it: a bot dies of half a line. It may be nil
	Cuts func(bool)
}

// Pair returns the two ends of a new channel: this process keeps own, and the bot inherits both.
func Pair() (own, bots *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("channel of the bot: %w", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return os.NewFile(uintptr(fds[0]), "channel"), os.NewFile(uintptr(fds[1]), "channel of the bot"), nil
}

// Channel is this process's end of node's channel to a bot. Its methods, but for SendWaiting, never
// block, and are safe for concurrent use.
type Channel struct {
	conn *net.UnixConn
	raw  syscall.RawConn // of conn
	to   Handler

	mu     sync.Mutex
	queue  []queued
	idle   bool // nothing waits, and nothing is being written
	bytes  int
	wake   chan struct{} // has room for one
	room   *sync.Cond    // bytes fell, or closed
	deaf   bool          // the bot's end takes nothing any more
	closed bool
	done   chan struct{} // closed with closed
}

// queued is a line with its newline.
type queued struct {
	line    []byte
	written func() // may be nil
}

// Open begins to read and write this process's end. The file may be closed afterwards.
func Open(own *os.File, to Handler) (*Channel, error) {
	conn, err := net.FileConn(own)
	if err != nil {
		return nil, fmt.Errorf("channel of the bot: %w", err)
	}
	stream, is := conn.(*net.UnixConn)
	if !is {
		_ = conn.Close()
		return nil, errors.New("channel of the bot: not a unix socket")
	}
	raw, err := stream.SyscallConn()
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("channel of the bot: %w", err)
	}
	c := &Channel{conn: stream, raw: raw, idle: true, to: to, wake: make(chan struct{}, 1), done: make(chan struct{})}
	c.room = sync.NewCond(&c.mu)
	go c.read()
	go c.write()
	return c, nil
}

// Send queues a line, without its newline; it keeps it. A bot that does not read gets ErrBusy.
func (c *Channel) Send(line []byte) error { return c.SendThen(line, nil) }

// SendThen is Send, and calls written once the kernel has the line; written must not call the
// channel.
func (c *Channel) SendThen(line []byte, written func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hasRoom(line) {
		return ErrBusy
	}
	return c.add(line, written)
}

// SendWaiting is SendThen, but waits while a bot does not read.
func (c *Channel) SendWaiting(line []byte, written func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.hasRoom(line) && c.bytes > 0 {
		c.room.Wait()
	}
	return c.add(line, written)
}

// hasRoom reports whether a line may be added to the queue, or would be refused. mu is held.
func (c *Channel) hasRoom(line []byte) bool {
	room := queueMax
	if len(line) <= smallLine {
		room += queueRest
	}
	return c.closed || c.deaf || c.bytes+len(line) <= room
}

// add adds a line to the queue. mu is held.
func (c *Channel) add(line []byte, written func()) error {
	switch {
	case c.closed, c.deaf:
		return ErrEnded
	case len(line) == 0:
		return errors.New("an empty line would end the bot")
	}
	line = append(line, '\n')
	if c.idle && len(line) <= wholeMax {
		if line = line[c.writeNow(line):]; len(line) == 0 {
			if written != nil {
				defer written()
			}
			return nil
		}
	}
	c.idle = false
	c.queue = append(c.queue, queued{line, written})
	c.bytes += len(line)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

// writeNow writes what the kernel takes of a line at once, without the other goroutine. mu is held.
func (c *Channel) writeNow(line []byte) (n int) {
	_ = c.raw.Write(func(fd uintptr) bool {
		n, _ = unix.Write(int(fd), line) // an error comes again
		return true                      // it does not wait
	})
	return max(n, 0)
}

// HangUp ends the channel for the bot, whatever has copies of this end: node then has one reason
// less to go on. Lines of the bot still come.
func (c *Channel) HangUp() { _ = c.conn.CloseWrite() } // it may be closed

// Close closes this end. The bot notices nothing while it has a copy of it.
func (c *Channel) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.done)
		c.room.Broadcast()
		_ = c.conn.Close() // nothing is waited for
	}
}

// next returns the lines that wait, and false once the channel is closed.
func (c *Channel) next() ([]queued, bool) {
	for {
		c.mu.Lock()
		lines, closed := c.queue, c.closed
		c.queue, c.idle = nil, len(lines) == 0
		c.mu.Unlock()
		if closed || len(lines) > 0 {
			return lines, !closed
		}
		select {
		case <-c.wake:
		case <-c.done:
		}
	}
}

// write writes each line by a call of its own, so that the kernel cuts none up to wholeMax.
func (c *Channel) write() {
	for {
		lines, open := c.next()
		if !open {
			return
		}
		for _, q := range lines {
			line := q.line
			cuts := len(line) > wholeMax && c.to.Cuts != nil
			if cuts {
				c.to.Cuts(true)
			}
			_, err := c.conn.Write(line)
			if err != nil { // what the bot wrote before is still read
				c.mu.Lock()
				c.deaf, c.queue = true, nil
				c.room.Broadcast()
				c.mu.Unlock()
				return
			}
			if cuts {
				c.to.Cuts(false)
			}
			c.mu.Lock()
			c.bytes -= len(line)
			c.room.Broadcast()
			c.mu.Unlock()
			if q.written != nil {
				q.written()
			}
		}
	}
}

// read passes lines on until the bot's end is closed.
func (c *Channel) read() {
	var lines Lines
	buffer, control := make([]byte, readSize), make([]byte, unix.CmsgSpace(4*8))
	for {
		n, passed, _, _, err := c.conn.ReadMsgUnix(buffer, control)
		closeFiles(control[:passed])
		if n > 0 {
			lines.Add(buffer[:n], c.to.Line, c.to.Long)
			continue
		}
		if err == nil || errors.Is(err, io.EOF) {
			err = ErrEnded
		}
		c.Close()
		c.to.Ended(err)
		return
	}
}

// closeFiles closes the files that a bot passed: no code takes them.
func closeFiles(control []byte) {
	all, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return
	}
	for _, one := range all {
		files, err := unix.ParseUnixRights(&one)
		if err != nil {
			continue
		}
		for _, fd := range files {
			_ = unix.Close(fd) // it was never used
		}
	}
}
