//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A bot writes for long; its file is cut repeatedly, CONTROL is replaced, and a follower misses
// nothing.
func TestLogsFollowedAcrossCuts(t *testing.T) {
	t.Parallel()
	const limit = 16 << 20 // three quarters of it are kept, for three seconds
	state := folder(t)
	p := role(t, lonely(settings{"state.dir": state, "fleet.shards": "2", "cluster.log_max": fmt.Sprint(limit>>20, "MiB")}), "talks-much")
	p.line("cluster.ready")
	follower := control(t, nil, "logs", "--state.dir="+state, "-f", "-n", "1000000000", "0")
	files, err := filepath.Glob(filepath.Join(state, "logs", "cluster-0-*.log"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	cuts, upgrades, before := 0, 0, int64(0)
	eventually(t, "three cuts", func() bool {
		info, err := os.Stat(files[0])
		if err != nil {
			t.Fatal(err)
		}
		now := info.Sys().(*syscall.Stat_t).Blocks * 512
		if now < before {
			cuts++
		}
		if before = now; cuts > upgrades {
			upgrades++
			if code := control(t, nil, "upgrade", "--state.dir="+state).exit(); code != 0 {
				t.Fatalf("upgrade: exit %d", code)
			}
		}
		if now > limit*3/2 {
			t.Errorf("%d bytes on disk", now)
		}
		return cuts >= 3
	})
	p.stop()
	all, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	_, last := numbered(t, string(all))
	eventually(t, "the follower has the last line", func() bool {
		return strings.Contains(follower.stdout.String(), fmt.Sprintf("line %d of ", last))
	})
	if first, end := numbered(t, follower.stdout.String()); first != 0 || end != last {
		t.Errorf("the follower has lines %d to %d, want 0 to %d", first, end, last)
	}
	if noted := follower.stderr.String(); noted != "" {
		t.Errorf("noted: %s", noted)
	}
	t.Logf("%d lines, %d MB long, %d MB on disk", last, len(all)>>20, before>>20)
}

// numbered returns the numbers of the lines of talks-much in a text, which must be in order and
// without a gap.
func numbered(t *testing.T, text string) (first, last int) {
	t.Helper()
	first, last = -1, -1
	for line := range strings.Lines(text) {
		var n int
		if _, err := fmt.Sscanf(line, "line %d of ", &n); err != nil {
			continue
		}
		if first >= 0 && n != last+1 {
			t.Fatalf("behind line %d comes line %d", last, n)
		}
		if last = n; first < 0 {
			first = n
		}
	}
	return first, last
}
