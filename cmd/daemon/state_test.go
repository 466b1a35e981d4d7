package daemon

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe in place of the file is refused: reading it would hang `control upgrade`.
func TestStateThatIsAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, daemonFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readState(dir); err == nil || !strings.Contains(err.Error(), "is a named pipe; a state file is a regular file") {
		t.Error(err)
	}
}
