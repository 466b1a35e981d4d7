package ipc

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/transport"
)

// listener receives from a link.
type listener struct {
	frames chan string
	closed chan error
}

// receive collects the frames of a link. It calls Ack for every frame if took is set.
func receive(l transport.Link, took bool) listener {
	r := listener{frames: make(chan string, 1<<16), closed: make(chan error, 2)}
	l.Receive(func(f []byte) {
		r.frames <- string(f)
		if took {
			l.Ack()
		}
	}, func(err error) { r.closed <- err })
	return r
}

// pipe returns a link and the bare other end of it; in a bubble, whose end shows that no goroutine
// is left.
func pipe() (*link, net.Conn) {
	near, far := net.Pipe()
	return newLink(near), far
}

// drain reads a connection to its end, and returns the text then.
func drain(conn net.Conn) <-chan string {
	all := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(conn)
		all <- string(text)
	}()
	return all
}

// noLeaks fails the test if, at its end, a goroutine runs product code of this folder.
func noLeaks(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		var left string
		for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); runtime.Gosched() {
			if left = running(); left == "" {
				return
			}
		}
		t.Errorf("a goroutine is left:\n%s", left)
	})
}

// running returns the stack of some goroutine started by link.go or socket.go.
func running() string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, one := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(one, "/ipc/link.go") || strings.Contains(one, "/ipc/socket.go") {
			return one
		}
	}
	return ""
}

// socketPath returns a path short enough for a socket, whatever the test's name.
func socketPath(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "ipc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return filepath.Join(folder, "s")
}

// listen listens at path until the test ends.
func listen(t testing.TB, path string) <-chan transport.Link {
	t.Helper()
	links := make(chan transport.Link, 16)
	stop, err := Listen(path, func(l transport.Link) { links <- l })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return links
}

type dialled struct {
	link transport.Link
	err  error
}

func dialTo(path string) (<-chan dialled, func()) {
	came := make(chan dialled, 2)
	cancel := Dial(path, func(l transport.Link, err error) { came <- dialled{l, err} })
	return came, cancel
}

// bare returns a link that was accepted, and the bare socket at its other end.
func bare(t *testing.T) (*net.UnixConn, transport.Link) {
	t.Helper()
	path := socketPath(t)
	links := listen(t, path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.UnixConn), <-links
}

// connected returns both ends of a link.
func connected(t testing.TB) (near, far transport.Link) {
	t.Helper()
	path := socketPath(t)
	links := listen(t, path)
	came, _ := dialTo(path)
	d := <-came
	if d.err != nil {
		t.Fatal(d.err)
	}
	return d.link, <-links
}
