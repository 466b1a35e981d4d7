package ipc

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

func TestBothEndsTalk(t *testing.T) {
	noLeaks(t)
	near, far := connected(t)
	big := strings.Repeat("é", MaxFrame/2)
	for _, f := range []string{"kept until Receive", big} {
		if err := near.Send([]byte(f)); err != nil {
			t.Fatal(err)
		}
	}
	atFar := receive(far, true)
	if f := <-atFar.frames; f != "kept until Receive" {
		t.Errorf("got %.50q", f)
	}
	if f := <-atFar.frames; f != big {
		t.Errorf("got %d bytes, want %d", len(f), len(big))
	}
	atNear := receive(near, true)
	_ = far.Send([]byte("answer"))
	far.Close(0, "bye")
	if f := <-atNear.frames; f != "answer" {
		t.Errorf("got %q", f)
	}
	if err := <-atNear.closed; !errors.Is(err, io.EOF) {
		t.Errorf("near closed with %v", err)
	}
	if err := <-atFar.closed; !errors.Is(err, transport.ErrEnded) {
		t.Errorf("far closed with %v", err)
	}
}

// A bot reports why it exits, and exits: the report arrives although writing to the bot fails
// first.
func TestLastWordsAreHeardBehindAFailedWrite(t *testing.T) {
	noLeaks(t)
	near, far := connected(t)
	for range transport.Window + 20 { // more than the window lets in
		if err := far.Send([]byte("last words")); err != nil {
			t.Fatal(err)
		}
	}
	far.Close(0, "dead")
	<-receive(far, true).closed
	_ = near.Send([]byte("are you there?"))
	for !ending(near.(*link)) { // until the writer has met EPIPE
		runtime.Gosched()
	}
	// as if its receiver had been slower than lingerFor
	_ = near.(*link).conn.SetReadDeadline(time.Now())
	got := receive(near, true)
	err := <-got.closed
	if !strings.Contains(err.Error(), "the peer closed the ipc link") {
		t.Errorf("closed with %v", err)
	}
	if len(got.frames) != transport.Window+20 {
		t.Errorf("%d frames were heard, want %d", len(got.frames), transport.Window+20)
	}
}

func ending(l *link) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason != nil
}

// A peer that shuts one direction and stays must not keep a dead link open.
func TestPeerThatOnlyStopsReading(t *testing.T) {
	noLeaks(t)
	conn, l := bare(t)
	got := receive(l, true)
	if _, err := io.WriteString(conn, "a\fb"); err != nil { // the reader waits for the rest of b
		t.Fatal(err)
	}
	<-got.frames
	if err := conn.CloseRead(); err != nil {
		t.Fatal(err)
	}
	_ = l.Send([]byte("x"))
	if err := <-got.closed; !errors.Is(err, syscall.EPIPE) {
		t.Errorf("closed with %v", err)
	}
}

// A peer that shuts its other direction while the link flushes still gets all of it.
func TestPeerThatOnlyStopsWriting(t *testing.T) {
	noLeaks(t)
	conn, l := bare(t)
	if err := l.Send(make([]byte, MaxFrame)); err != nil { // more than the kernel takes at once
		t.Fatal(err)
	}
	l.Close(0, "bye")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := <-receive(l, true).closed; !strings.Contains(err.Error(), "bye") {
		t.Errorf("closed with %v", err)
	}
	if text := <-drain(conn); len(text) != MaxFrame+1 {
		t.Errorf("the peer got %d bytes, want %d", len(text), MaxFrame+1)
	}
}

func TestDialFails(t *testing.T) {
	noLeaks(t)
	stale := socketPath(t)
	leaveStale(t, stale)
	long := "/" + strings.Repeat("x", messages.SocketMax)
	for _, c := range []struct {
		name, path string
		want       error
		text       string
	}{
		{"nothing there", socketPath(t), fs.ErrNotExist, "open ipc link"},
		{"no listener", stale, syscall.ECONNREFUSED, "open ipc link"},
		{"path too long", long, nil, "the path has 108 bytes, the limit is 107"},
		{"no path", "", nil, "want the path of a file"},
		{"abstract", "@x", nil, "want the path of a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "path too long" && messages.SocketMax != 107 {
				t.Skip("another limit here")
			}
			came, cancel := dialTo(c.path)
			d := <-came
			if d.link != nil || d.err == nil || !strings.Contains(d.err.Error(), c.text) || (c.want != nil && !errors.Is(d.err, c.want)) {
				t.Errorf("got %v, %v", d.link, d.err)
			}
			cancel()
		})
	}
}

func TestDialCancel(t *testing.T) {
	noLeaks(t)
	path := socketPath(t)
	links := listen(t, path)

	// At once: a call of done may be in progress; then its link has ended.
	came, cancel := dialTo(path)
	cancel()
	select {
	case d := <-came:
		if d.err == nil && !errors.Is(d.link.Send([]byte("x")), transport.ErrEnded) {
			t.Error("a link is open after cancel")
		}
	default:
	}

	// Before Receive: closed.
	came, cancel = dialTo(path)
	d := <-came
	if d.err != nil {
		t.Fatal(d.err)
	}
	cancel()
	if err := d.link.Send([]byte("x")); !errors.Is(err, transport.ErrEnded) {
		t.Errorf("cancelled before Receive: Send returns %v", err)
	}

	// After Receive: too late.
	came, cancel = dialTo(path)
	d = <-came
	got := receive(d.link, true)
	cancel()
	if err := d.link.Send([]byte("x")); err != nil {
		t.Errorf("cancelled after Receive: %v", err)
	}
	d.link.Close(0, "")
	<-got.closed
	for len(links) > 0 {
		(<-links).Close(0, "")
	}
}

// leaveStale leaves a socket behind as a killed process does.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	noLeaks(t)
	path := socketPath(t)
	leaveStale(t, path)
	links := listen(t, path)
	came, _ := dialTo(path)
	if d := <-came; d.err != nil {
		t.Error(d.err)
	} else {
		d.link.Close(0, "")
		(<-links).Close(0, "")
	}
}

func TestListenRefuses(t *testing.T) {
	noLeaks(t)
	busy, file, folder := socketPath(t), socketPath(t), socketPath(t)
	listen(t, busy)
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := socketPath(t)
	if err := os.Symlink(busy, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		want       error
		text       string
	}{
		{"a listener", busy, syscall.EADDRINUSE, "another process listens there"},
		{"a file", file, nil, "exists and is not a socket"},
		{"a link to a socket", link, nil, "exists and is not a socket"},
		{"a folder", filepath.Dir(folder), nil, "exists and is not a socket"},
		{"no folder", folder + "/s", fs.ErrNotExist, "listen for ipc"},
		{"path too long", "/" + strings.Repeat("x", messages.SocketMax), nil, "the limit is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stop, err := Listen(c.path, func(transport.Link) {})
			if err == nil {
				stop()
			}
			if err == nil || !strings.Contains(err.Error(), c.text) || (c.want != nil && !errors.Is(err, c.want)) {
				t.Errorf("got %v", err)
			}
		})
	}
	if text, err := os.ReadFile(file); string(text) != "precious" {
		t.Errorf("the file is now %q, %v", text, err)
	}
}

func TestListenModeAndStop(t *testing.T) {
	noLeaks(t)
	path := socketPath(t)
	stop, err := Listen(path, func(l transport.Link) { l.Close(0, "") })
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	stop()
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}
