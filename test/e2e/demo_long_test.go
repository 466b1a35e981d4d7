//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

func TestDemoThreeMachines(t *testing.T) {
	t.Parallel()
	out := wantDemo(t, "--once", "--machines", "3", "--shards", "48")
	if !strings.Contains(out, "3 CONTROL, 3 cluster processes") {
		t.Error("not three machines with a cluster each")
	}
}

// Processes are killed, and come back by resuming their sessions.
func TestDemoKillEvery(t *testing.T) {
	t.Parallel()
	out := wantDemo(t, "--for", "6s", "--kill-every", "2s")
	if strings.Contains(out, " 0 resumes,") {
		t.Error("no process was killed: no session was resumed")
	}
	if kills := strings.Count(out, "killing process"); kills < 2 {
		t.Errorf("%d processes killed", kills)
	}
}

// A rolling restart replaces every process, one at a time: no identify, no event lost or doubled.
func TestDemoRollingRestart(t *testing.T) {
	t.Parallel()
	out := wantDemo(t, "--once", "--rolling-restart", "--shards", "48")
	if want := "48 identifies of 48 shards, 48 resumes, 0 violations, 0 duplicates, 0 events lost, 0 doubled"; !strings.Contains(out, want) {
		t.Errorf("the end is not %q", want)
	}
	if !strings.Contains(out, "6 cluster processes in all; none is left") {
		t.Error("not two processes for each of three clusters")
	}
}
