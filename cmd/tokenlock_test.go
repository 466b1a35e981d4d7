package cmd

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
)

// One program of a machine can hold a token, and others get its description. Another token or
// another Discord is another bot.
func TestTokenLock(t *testing.T) {
	with := func(token, api string) *config.Config {
		c := &config.Config{}
		c.Discord.Token, c.Discord.API = messages.Secret("test-of-the-token-lock"+token), api
		c.State.Dir = "/var/lib/first"
		return c
	}
	release, err := lockToken(with("", "http://a"), "CONTROL", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockToken(with("", "http://a/"), "MASTER", zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "CONTROL with pid") || !strings.Contains(err.Error(), "/var/lib/first") {
		t.Errorf("the second: %v", err)
	}
	for name, c := range map[string]*config.Config{"another token": with("2", "http://a"), "another Discord": with("", "http://b")} {
		other, err := lockToken(c, "CONTROL", zerolog.Nop())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		other()
	}
	release()
	if release, err = lockToken(with("", "http://a"), "CONTROL", zerolog.Nop()); err != nil {
		t.Fatalf("once it is free: %v", err)
	}
	release()
}

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
