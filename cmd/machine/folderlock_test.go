package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Only the lock shows whether a CONTROL runs on a state folder: a pid in a file may be outdated.
func TestRunningIn(t *testing.T) {
	state := t.TempDir()
	if _, err := RunningIn(state); err == nil || !strings.Contains(err.Error(), "no CONTROL runs on it") {
		t.Errorf("in an empty folder: %v", err)
	}
	release, err := LockFolder(state)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockFolder(state); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("another CONTROL runs on it (pid %d)", os.Getpid())) {
		t.Errorf("a second lock: %v", err)
	}
	if pid, err := RunningIn(state); pid != os.Getpid() || err != nil {
		t.Errorf("pid %d, %v", pid, err)
	}
	if dir, err := FolderOf(os.Getpid()); runtime.GOOS == "linux" && (dir != state || err != nil) {
		t.Errorf("found in %q, %v", dir, err)
	}
	for _, text := range []string{"", "-1", "0", "x"} {
		if err := os.WriteFile(filepath.Join(state, lockFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if pid, err := RunningIn(state); err == nil {
			t.Errorf("%q: pid %s", text, strconv.Itoa(pid))
		}
	}
	release()
	if _, err := RunningIn(state); err == nil {
		t.Error("a CONTROL runs although the lock is free")
	}
}
