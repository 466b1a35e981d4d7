package botlog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// floodVariable makes this test binary a bot that writes a number of numbered lines as fast as it
// can, or writes them until SIGTERM.
const floodVariable = "BOTLOG_TEST_FLOOD"

func TestMain(m *testing.M) {
	if lines := os.Getenv(floodVariable); lines != "" {
		n, err := strconv.Atoi(lines)
		if err != nil {
			panic(err)
		}
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		out := bufio.NewWriterSize(os.Stdout, 8<<10)
		for i := 0; i < n && len(term) == 0; i++ {
			if i%7 == 0 { // some alone, most many at once
				out.Flush()
			}
			fmt.Fprintf(out, "%0*d\n", width-1, i)
		}
		out.Flush()
		syscall.Exit(0)
	}
	if len(os.Args) == 1 { // go test always passes flags: this is a child that lost its role
		panic("a child without " + floodVariable)
	}
	os.Exit(m.Run())
}

// width is the length of a numbered line with its newline.
const width = 100

// flood starts a bot that writes up to a number of lines to path. done is closed when it has
// exited; stop ends it.
func flood(t *testing.T, path string, lines int) (done <-chan struct{}, stop func()) {
	t.Helper()
	out := create(t, path)
	bot := exec.Command(os.Args[0])
	bot.Env, bot.Stdout = []string{fmt.Sprint(floodVariable, "=", lines)}, out
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close() // as proc does: the lock is the child's
	ended := make(chan struct{})
	go func() {
		_ = bot.Wait()
		close(ended)
	}()
	t.Cleanup(func() { _ = bot.Process.Kill(); <-ended })
	return ended, func() { _ = bot.Process.Signal(syscall.SIGTERM) }
}

// create opens an output as proc does.
func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// file returns the path of a cluster's run in a folder; a higher second is a later run.
func file(dir string, cluster, second int) string {
	return filepath.Join(dir, fmt.Sprintf("cluster-%d-20261123T0634%02d.000.log", cluster, second))
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// number returns the number of a numbered line; -1 for another line.
func number(line []byte) int {
	n, err := strconv.Atoi(string(line))
	if err != nil || len(line) != width-1 {
		return -1
	}
	return n
}

// kept returns the numbers of the first and the last line that is kept of a file, and checks that
// all lines between are there, in order, and nothing else. A line that is just being written does
// not count.
func kept(t *testing.T, path string) (first, last int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := io.ReadAll(io.NewSectionReader(f, dataAfter(f, 0), 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	all = bytes.TrimLeft(all, "\x00")
	all = all[:bytes.LastIndexByte(all, '\n')+1]
	first, last = -1, -1
	for line := range bytes.Lines(all) {
		n := number(line[:len(line)-1])
		if first < 0 {
			first, last = n, n-1
		}
		if n < 0 || n != last+1 {
			t.Fatalf("behind line %d comes %.120q", last, line)
		}
		last = n
	}
	return first, last
}
