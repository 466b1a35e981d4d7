package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// mount returns the path of a new file system, or skips the test.
func mount(t *testing.T, flags uintptr, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "only root can mount a file system")
	}
	dir := folder(t)
	if err := syscall.Mount("e2e", dir, "tmpfs", flags, options); err != nil {
		missing(t, "no tmpfs can be mounted here: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// A read-only folder, for root too.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := mount(t, syscall.MS_RDONLY, "size=64k")
	for _, key := range []string{"state.dir", "sockets.dir"} {
		p := role(t, lonely(settings{key: dir}), "ready")
		if code := p.exit(); code != 2 || !strings.Contains(p.stderr.String(), key+" "+dir) || !strings.Contains(p.stderr.String(), "read-only file system") {
			t.Errorf("exit %d: %s", code, p.stderr.String())
		}
		p.gone()
	}
}

// A full disk costs state and logs, never the clusters.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := mount(t, 0, "size=64k")
	state := filepath.Join(dir, "state")
	s := lonely(settings{"state.dir": state, "sockets.dir": folder(t)})
	p := role(t, s, "ready")
	eventually(t, "both clusters ready", func() bool { return len(p.lines("cluster.ready")) == 2 })
	p.stop()
	fill(t, dir)
	// Now it writes its name, which it has lost.
	if err := os.Truncate(filepath.Join(state, "link.json"), 0); err != nil {
		t.Fatal(err)
	}
	fill(t, dir)
	p = role(t, s, "ready")
	eventually(t, "both clusters ready", func() bool { return len(p.lines("cluster.ready")) == 2 })
	eventually(t, "a word of the name that was lost", func() bool {
		return slices.ContainsFunc(p.lines("state.unwritable"), func(l line) bool { return l["file"] == "link.json" })
	})
	for _, l := range p.lines("state.unwritable") {
		if err, _ := l["err"].(string); !strings.Contains(err, "no space left on device") {
			t.Errorf("%v", l)
		}
	}
	p.stop()
}

// No socket can be created: the cluster waits until it can, and is not given up.
func TestSocketsFull(t *testing.T) {
	t.Parallel()
	dir, state := mount(t, 0, "size=64k,mode=0700"), folder(t)
	p := role(t, lonely(settings{"state.dir": state, "sockets.dir": dir}), "ready")
	eventually(t, "both clusters ready", func() bool { return len(p.lines("cluster.ready")) == 2 })
	order := func(order string) *process { return control(t, nil, order, "0", "--yes", "--state.dir="+state) }
	if code := order("stop").exit(); code != 0 {
		t.Fatalf("stop: exit %d", code)
	}
	inodes := func(n int) {
		t.Helper()
		if err := syscall.Mount("e2e", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprint("nr_inodes=", n)); err != nil {
			t.Fatal(err)
		}
	}
	inodes(2) // the folder's, and a socket's
	order("restart")
	held := p.line("cluster.held")
	if err, _ := held["err"].(string); !strings.Contains(err, dir) || !strings.Contains(err, "no space left on device") {
		t.Errorf("%v", held)
	}
	inodes(0) // no limit
	eventually(t, "it is ready again", func() bool { return len(p.lines("cluster.ready")) == 3 })
	if died := p.lines("cluster.died"); len(died) > 0 {
		t.Errorf("a bot was started without room for its socket: %v", died)
	}
	p.stop()
}

// A bot fills the disk: its output is cut all the same, for that needs no space, and it writes on.
func TestLogsOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := mount(t, 0, "size=3m")
	state := filepath.Join(dir, "state")
	p := role(t, lonely(settings{"state.dir": state, "sockets.dir": folder(t), "fleet.shards": "2", "cluster.log_max": "1MiB"}), "talks-much")
	p.line("cluster.ready")
	free := func() uint64 {
		var stat syscall.Statfs_t
		if err := syscall.Statfs(dir, &stat); err != nil {
			t.Fatal(err)
		}
		return stat.Bavail * uint64(stat.Bsize)
	}
	for range 3 {
		eventually(t, "a full disk", func() bool { return free() == 0 })
		eventually(t, "room on the disk", func() bool { return free() > 0 })
	}
	if n := len(p.complaints()); n > 0 {
		t.Errorf("complaints: %v", p.complaints())
	}
	p.stop()
}

// fill writes until no byte is free.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.CreateTemp(dir, "fill-")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}
