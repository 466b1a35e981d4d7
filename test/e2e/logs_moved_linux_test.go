//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The log of a running bot is renamed and that of another removed, as by log rotation: each is
// reported once, and doctor names both.
func TestLogsMoved(t *testing.T) {
	t.Parallel()
	state := folder(t)
	s := lonely(settings{"state.dir": state})
	p := role(t, s, "talks")
	eventually(t, "both clusters ready", func() bool { return len(p.lines("cluster.ready")) == 2 })
	files, err := filepath.Glob(filepath.Join(state, "logs", "cluster-*.log"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v %v", files, err)
	}
	if err := os.Rename(files[0], files[0]+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are reported", func() bool { return len(p.lines("logs.moved")) == 2 })
	doctor := control(t, runEnv(t, s), "doctor")
	doctor.exit()
	for _, want := range []string{files[0] + ".1", files[1] + " (deleted)"} {
		if output := doctor.stdout.String(); !strings.Contains(output, want) {
			t.Errorf("doctor does not name %s:\n%s", want, output)
		}
	}
	if n := len(p.lines("logs.moved")); n != 2 {
		t.Errorf("reported %d times", n)
	}
	p.stop()
}
