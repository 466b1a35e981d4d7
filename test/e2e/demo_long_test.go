//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

func TestDemoThreeMachines(t *testing.T) {
	t.Parallel()
	out := wantDemo(t, time.Minute, "--once", "--machines", "3", "--shards", "48")
	if !strings.Contains(out, "3 CONTROL, 3 cluster processes") {
		t.Error("not three machines with a cluster each")
	}
}

func TestDemoKillEvery(t *testing.T) {
	t.Parallel()
	out := wantDemo(t, 2*time.Minute, "--for", "6s", "--kill-every", "2s")
	if kills := strings.Count(out, "killing process"); kills < 2 {
		t.Errorf("%d processes killed", kills)
	}
}
