package guest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// heard has what a channel reported.
type heard struct {
	lines chan string
	long  chan bool
	ended chan error
	cuts  chan bool
}

// channel opens a channel, and returns the bot's end.
func channel(t *testing.T) (*Channel, *net.UnixConn, heard) {
	t.Helper()
	own, bots, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	h := heard{make(chan string, 100), make(chan bool, 100), make(chan error, 1), make(chan bool, 100)}
	c, err := Open(own, Handler{func(l []byte) { h.lines <- string(l) }, func() { h.long <- true }, func(err error) { h.ended <- err }, func(on bool) { h.cuts <- on }})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.FileConn(bots)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = own.Close(), bots.Close()
	t.Cleanup(func() { _ = conn.Close(); c.Close() })
	return c, conn.(*net.UnixConn), h
}

// Lines go both ways; the end of the bot's end is reported once, and a rest before it is dropped.
func TestChannel(t *testing.T) {
	c, bot, h := channel(t)
	if err := c.Send([]byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	if _, err := io.ReadFull(bot, got); err != nil || string(got) != "{\"a\":1}\n" {
		t.Errorf("the bot read %q, %v", got, err)
	}
	if _, err := bot.Write([]byte("{}\n1\n{\"rest")); err != nil {
		t.Fatal(err)
	}
	if a, b := <-h.lines, <-h.lines; a != "{}" || b != "1" {
		t.Errorf("lines %q and %q", a, b)
	}
	_ = bot.Close()
	if err := <-h.ended; err == nil {
		t.Error("no error at the end")
	}
	if err := c.Send([]byte("{}")); !errors.Is(err, ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
	if len(h.lines) > 0 {
		t.Errorf("the rest is a line: %q", <-h.lines)
	}
}

// A bot whose channel is hung up reads its end, though another process has our end, too.
func TestHangUp(t *testing.T) {
	c, bot, h := channel(t)
	c.HangUp()
	if n, err := bot.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the bot reads %d bytes, %v", n, err)
	}
	if _, err := bot.Write([]byte("{}\n")); err != nil || <-h.lines != "{}" {
		t.Errorf("its lines do not come: %v", err)
	}
}

// A bot that does not read fills its queue, and blocks no caller; a short error still finds room.
// When it reads, all that was accepted arrives, whole.
func TestBotDoesNotRead(t *testing.T) {
	c, bot, _ := channel(t)
	line := []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	accepted := 0
	for {
		if err := c.Send(bytes.Clone(line)); err != nil {
			if !errors.Is(err, ErrBusy) {
				t.Fatal(err)
			}
			break
		}
		if accepted++; accepted > 40 {
			t.Fatal("no limit")
		}
	}
	if err := c.Send([]byte(`{"_error":1}`)); err != nil {
		t.Errorf("no room for an error: %v", err)
	}
	all := make([]byte, accepted*(len(line)+1)+len("{\"_error\":1}\n"))
	if _, err := io.ReadFull(bot, all); err != nil || !bytes.HasSuffix(all, []byte("{\"_error\":1}\n")) || bytes.Count(all, []byte("\n")) != accepted+1 {
		t.Errorf("read %d lines, %v", bytes.Count(all, []byte("\n")), err)
	}
}

// An answer waits while the bot does not read, and is whole once it does. Where the bot is gone,
// nothing waits.
func TestSendWaiting(t *testing.T) {
	c, bot, h := channel(t)
	line := []byte(`"` + strings.Repeat("x", queueMax/2) + `"`)
	const all = 6
	sent := make(chan error, all)
	for range all {
		go func() { sent <- c.SendWaiting(bytes.Clone(line), nil) }()
	}
	got := make([]byte, all*(len(line)+1))
	if _, err := io.ReadFull(bot, got); err != nil || bytes.Count(got, []byte("\n")) != all {
		t.Fatalf("%d lines, %v", bytes.Count(got, []byte("\n")), err)
	}
	for range all {
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	for range all {
		go func() { sent <- c.SendWaiting(bytes.Clone(line), nil) }()
	}
	if _, err := io.ReadFull(bot, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = bot.Close()
	refused := 0
	for range all {
		if err := <-sent; errors.Is(err, ErrEnded) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("all are accepted")
	}
	<-h.ended
}

// Only a line that the kernel may take in parts is announced.
func TestCuts(t *testing.T) {
	c, bot, h := channel(t)
	for _, size := range []int{10, wholeMax - 1, wholeMax, 1 << 20} {
		if err := c.Send(bytes.Repeat([]byte("1"), size)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(bot, make([]byte, size+1)); err != nil {
			t.Fatal(err)
		}
		if size < wholeMax {
			continue
		}
		if on, off := <-h.cuts, <-h.cuts; !on || off {
			t.Errorf("%d bytes: %v, %v", size, on, off)
		}
	}
	if len(h.cuts) > 0 {
		t.Error("a short line is announced")
	}
}

// A file that the bot passes is closed.
func TestPassedFile(t *testing.T) {
	_, bot, h := channel(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, _, err := bot.WriteMsgUnix([]byte("{\"cmd\":\"NODE_HANDLE\"}\n"), unix.UnixRights(int(w.Fd())), nil); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if line := <-h.lines; line != `{"cmd":"NODE_HANDLE"}` {
		t.Errorf("line %q", line)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the pipe is open: %d, %v", n, err)
	}
}

// An empty line would end a bot.
func TestEmptyLine(t *testing.T) {
	c, _, _ := channel(t)
	if err := c.Send(nil); err == nil {
		t.Error("sent")
	}
}

func ExampleLines() {
	var l Lines
	for _, part := range []string{`{"_rea`, "dy\":true}\n{}", "\n"} {
		l.Add([]byte(part), func(line []byte) { fmt.Printf("%s\n", line) }, func() {})
	}
	// Output:
	// {"_ready":true}
	// {}
}
