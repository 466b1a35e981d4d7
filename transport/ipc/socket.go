package ipc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// acceptPause is the pause of a listener after an error: without free file descriptors it would
// spin.
const acceptPause = 100 * time.Millisecond

// Dial opens a link to the cluster process that listens at path, in the form of World.Dial: done is
// called once, never from within the call. A socket without a listener is an error that is
// syscall.ECONNREFUSED, a missing one fs.ErrNotExist; a process of another user is refused (on
// Linux alone).
//
// cancel abandons the attempt, and closes a link whose Receive was never called. After it returned,
// done is not called any more, except for a call in progress, whose link has ended. A second
// cancel, or one after Receive, does nothing.
func Dial(path string, done func(transport.Link, error)) (cancel func()) {
	ctx, stop := context.WithCancel(context.Background())
	a := &attempt{}
	go func() {
		defer stop()
		l, err := dial(ctx, path)
		if !a.end(l) {
			return
		}
		if err != nil {
			done(nil, err)
			return
		}
		done(l, nil)
	}()
	return func() {
		stop()
		a.cancel()
	}
}

// Unopened reports whether an error of Dial means that nothing listens at the path.
func Unopened(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// attempt is the state shared by Dial's goroutine and its cancel.
type attempt struct {
	mu        sync.Mutex
	cancelled bool
	link      *link // once there is one
}

// end reports whether the attempt was not cancelled, and closes l otherwise. l may be nil.
func (a *attempt) end(l *link) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.link = l
	if a.cancelled && l != nil {
		l.abandon()
	}
	return !a.cancelled
}

// cancel marks the attempt as cancelled.
func (a *attempt) cancel() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cancelled = true
	if a.link != nil {
		a.link.abandon()
	}
}

// dial opens a link; its error names the failed step.
func dial(ctx context.Context, path string) (*link, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open ipc link: %w", err)
	}
	if err := checkPeer(conn.(*net.UnixConn), os.Geteuid()); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("open ipc link to %s: %w", path, err)
	}
	return newLink(conn), nil
}

// Listen accepts links at path, whose folder must exist, until stop; accept is called for every
// link, in turn, never from within Listen. The socket is for its owner alone (0600), and on Linux a
// peer of another user is disconnected. stop removes the socket and leaves open links alone; a link
// that arrives at the same moment may still be accepted.
//
// A stale socket, which has no listener, is replaced. A socket with a listener, or anything else at
// path, is an error. Between the check and the replacement another process may do the same: the
// caller must not hand out a path twice.
func Listen(path string, accept func(transport.Link)) (stop func(), err error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen for ipc: %w", err)
	}
	config := net.ListenConfig{Control: ownerOnly}
	listener, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for ipc: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // where ownerOnly can do nothing
		_ = listener.Close()
		return nil, fmt.Errorf("listen for ipc: %w", err)
	}
	stopped := make(chan struct{})
	go acceptLinks(listener.(*net.UnixListener), stopped, accept)
	return sync.OnceFunc(func() {
		close(stopped)
		_ = listener.Close()
	}), nil
}

// acceptLinks hands over links until the listener is closed.
func acceptLinks(listener *net.UnixListener, stopped <-chan struct{}, accept func(transport.Link)) {
	for {
		conn, err := listener.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			select {
			case <-time.After(acceptPause):
			case <-stopped:
				return
			}
		case checkPeer(conn, os.Geteuid()) != nil:
			_ = conn.Close()
		default:
			accept(newLink(conn))
		}
	}
}

// removeStale removes a stale socket at path.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket (%s)", path, info.Mode())
	}
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("%s: another process listens there: %w", path, syscall.EADDRINUSE)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return fmt.Errorf("check for a listener: %w", err)
}

// checkPath refuses a path that the kernel would cut or, with a leading @, not treat as a file.
func checkPath(path string) error {
	switch {
	case path == "" || path[0] == '@':
		return fmt.Errorf("ipc socket %q: want the path of a file", path)
	case len(path) > messages.SocketMax:
		return fmt.Errorf("ipc socket %q: the path has %d bytes, the limit is %d", path, len(path), messages.SocketMax)
	}
	return nil
}
