//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The disk is full: the host reports that it keeps no snapshot, and its bot, which dies, comes back
// as at any time. Once there is room, the snapshot is written again, and the next host goes on from
// it, with the bot that is left. Discord sees one identify a shard.
func TestGatewayOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := mount(t, 0, "size=4m,mode=0700")
	d := startDiscord(t, 2, 2, "--guilds", "8", "--events", "20")
	state := filepath.Join(dir, "state")
	b := startMake(t, d, 2, 2, settings{roleSetting: "counts", "cluster.protocol": "gateway", "state.dir": state, "sockets.dir": folder(t)}, self)
	b.state = state
	b.logged("cluster.ready", 1)
	reads := func(what string, not ...int) (pid int) {
		t.Helper()
		eventually(t, what, func() bool {
			pid = b.behind(self)
			all := b.counted()
			return pid != 0 && !slices.Contains(not, pid) && len(all[[2]string{strconv.Itoa(pid), "0"}]) > 10 && len(all[[2]string{strconv.Itoa(pid), "1"}]) > 10
		})
		return pid
	}
	first := reads("a bot reads messages")
	fill(t, dir)
	full := b.line("gateway.unkept")
	if err, _ := full["err"].(string); !strings.Contains(err, "no space left on device") || full["cure"] == nil || full["level"] != "error" {
		t.Errorf("%v", full)
	}
	b.signal(first, syscall.SIGKILL)
	eventually(t, "another bot", func() bool { pid := b.behind(self); return pid != 0 && pid != first })
	if s := d.stats(); s.Identifies != 2 || s.Resumes > 0 {
		t.Errorf("%d identifies and %d resumes of 2 shards on a full disk", s.Identifies, s.Resumes)
	}
	fills, err := filepath.Glob(filepath.Join(dir, "fill-*"))
	if err != nil || len(fills) != 1 {
		t.Fatal(fills, err)
	}
	if err := os.Remove(fills[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the snapshot is written again", func() bool {
		return slices.ContainsFunc(b.lines("gateway.unkept"), func(l line) bool { return l["over"] == true })
	})
	second := reads("the other bot reads messages", first)
	b.signal(parent(t, second), syscall.SIGKILL)
	b.goesOn("the bot reads on behind another host", second, "0", "1")
	if s := d.stats(); s.Identifies != 2 || s.Violations > 0 || s.Resumes != 2 {
		t.Errorf("%d identifies and %d resumes of 2 shards, %d violations", s.Identifies, s.Resumes, s.Violations)
	}
	b.stop()
}
