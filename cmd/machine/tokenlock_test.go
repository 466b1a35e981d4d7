package machine

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// A holder that does not answer, as a stopped one, is named by its pid.
func TestTokenLockOfAHolderThatHangs(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // the lock is a file, which its holder described
	}
	name := "@test-of-a-holder-that-hangs-" + strconv.Itoa(os.Getpid())
	l, err := net.Listen("unix", name) // never accepts
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if got, want := readHolder(name), fmt.Sprintf("pid %d, which does not answer", os.Getpid()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A file is the lock where abstract sockets do not exist.
func TestTokenLockByFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	ctx, cancel := context.WithTimeout(t.Context(), lockLimit)
	defer cancel()
	release, holder, err := holdFile(ctx, path, "the first")
	if err != nil || holder != "" {
		t.Fatal(holder, err)
	}
	if _, holder, err := holdFile(ctx, path, "the second"); err != nil || holder != "the first" {
		t.Errorf("holder %q, %v", holder, err)
	}
	release()
}
