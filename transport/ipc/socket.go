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

	"github.com/discluster/control/transport"
)

// MaxPath is the longest path of a socket in bytes: 107 on Linux, 103 on darwin. The kernel's field ends with a zero byte.
const MaxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// acceptPause is how long a listener that got an error rests: without file descriptors left it would spin.
const acceptPause = 100 * time.Millisecond

// Dial opens a link to the cluster process that listens at path, as World.Dial says: done is called once, never from within the call.
// A socket that nobody listens at is an error that is syscall.ECONNREFUSED, none at all fs.ErrNotExist; a process of another user is refused (Linux alone can tell).
//
// cancel abandons the attempt, and closes a link whose Receive was never called. Once it has returned done is not called any more, save for a call that had begun already;
// such a call's link has ended. A second cancel, or one after Receive, does nothing.
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

// attempt is what Dial's goroutine and its cancel share.
type attempt struct {
	mu        sync.Mutex
	cancelled bool
	link      *link // once there is one
}

// end reports whether somebody still waits for l, and closes it otherwise. l may be nil.
func (a *attempt) end(l *link) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.link = l
	if a.cancelled && l != nil {
		l.abandon()
	}
	return !a.cancelled
}

// cancel says that nobody waits any more.
func (a *attempt) cancel() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cancelled = true
	if a.link != nil {
		a.link.abandon()
	}
}

// dial opens a link, or says which step failed.
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

// Listen accepts links at path, whose folder must exist, until stop; accept is called for every link, in turn, never from within Listen.
// The socket is for its owner alone (0600), and on Linux a peer of another user is hung up on. stop removes the socket and leaves open links alone;
// a link that came in at the same moment may still be handed over.
//
// A stale socket, at which nobody listens, is replaced. It is an error when somebody does, or when there is anything else at path.
// Between the look and the replacement another process may do the same: whoever gives out paths must not give one out twice.
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

// removeStale makes way at path.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and no socket (%s)", path, info.Mode())
	}
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("%s: somebody listens there: %w", path, syscall.EADDRINUSE)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return fmt.Errorf("is somebody listening? %w", err)
}

// checkPath refuses what the kernel would cut or, with a leading @, not take for a file.
func checkPath(path string) error {
	switch {
	case path == "" || path[0] == '@':
		return fmt.Errorf("ipc socket %q: want the path of a file", path)
	case len(path) > MaxPath:
		return fmt.Errorf("ipc socket %q: the path has %d bytes, the limit is %d", path, len(path), MaxPath)
	}
	return nil
}
