package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/discluster/control/config"
)

// Only the lock shows whether a CONTROL runs on a state folder: a pid in a file may be outdated.
func TestRunningIn(t *testing.T) {
	c := &config.Config{}
	c.State.Dir, c.Sockets.Dir = t.TempDir(), t.TempDir()
	if _, err := runningIn(c.State.Dir); err == nil || !strings.Contains(err.Error(), "no CONTROL runs on it") {
		t.Errorf("in an empty folder: %v", err)
	}
	at, err := claimDirs(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claimDirs(c); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("another CONTROL runs on it (pid %d)", os.Getpid())) {
		t.Errorf("a second claim: %v", err)
	}
	if pid, err := runningIn(c.State.Dir); pid != os.Getpid() || err != nil {
		t.Errorf("pid %d, %v", pid, err)
	}
	if dir, err := stateFolderOf(os.Getpid()); runtime.GOOS == "linux" && (dir != c.State.Dir || err != nil) {
		t.Errorf("found in %q, %v", dir, err)
	}
	for _, text := range []string{"", "-1", "0", "x"} {
		if err := os.WriteFile(filepath.Join(c.State.Dir, lockFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if pid, err := runningIn(c.State.Dir); err == nil {
			t.Errorf("%q: pid %s", text, strconv.Itoa(pid))
		}
	}
	if err := at.lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := runningIn(c.State.Dir); err == nil {
		t.Error("a CONTROL runs although the lock is free")
	}
}
