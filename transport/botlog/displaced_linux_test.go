package botlog

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// writer starts a process whose output is out, and returns it.
func writer(t *testing.T, out *os.File) Writer {
	t.Helper()
	c := exec.Command("sleep", "1000")
	c.Stdout = out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return Writer{Cluster: 3, PID: c.Process.Pid}
}

// A file that was removed or renamed while its bot writes is kept within its limit, and reported;
// one in its place is not reported.
func TestDisplaced(t *testing.T) {
	const limit = 1 << 20
	for name, c := range map[string]struct {
		move      func(path string) error
		displaced string // the end of the file's name; "": it is in its place
	}{
		"in its place": {func(string) error { return nil }, ""},
		"removed":      {os.Remove, ".log (deleted)"},
		"renamed":      {func(path string) error { return os.Rename(path, path+".1") }, ".log.1"},
		"moved away":   {func(path string) error { return os.Rename(path, filepath.Join(t.TempDir(), filepath.Base(path))) }, ".log"},
		"truncated":    {func(path string) error { return os.Truncate(path, 0) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "cluster-3-20261123T063434.000.log")
			out := create(t, path)
			w := writer(t, out)
			if err := c.move(path); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Write(bytes.Repeat([]byte("0123456789\n"), 4*limit/11)); err != nil {
				t.Fatal(err)
			}
			k := &Keeper{Dir: dir, Limits: Limits{Run: limit}}
			displaced, err := k.Pass([]Writer{w})
			if err != nil {
				t.Fatal(err)
			}
			if got := displaced[w]; !strings.HasSuffix(got, c.displaced) || (got == "") != (c.displaced == "") {
				t.Errorf("displaced: %q, want …%s", got, c.displaced)
			}
			if got := Displaced(dir, w); got != displaced[w] {
				t.Errorf("Displaced: %q, Pass: %q", got, displaced[w])
			}
			info, err := out.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if size := onDisk(info); size > limit || size == 0 {
				t.Errorf("%d bytes on disk, want at most %d", size, limit)
			}
		})
	}
}

// A bot may redirect its own output, and a process that is gone has none.
func TestDisplacedLeavesTheBotsOwn(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "bot.log")
	out := create(t, own)
	w := writer(t, out)
	if _, err := out.Write(make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	// not a file of the folder: it is not locked
	unlocked, err := os.Create(filepath.Join(t.TempDir(), "cluster-3-today"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlocked.Close()
	displaced, err := (&Keeper{Dir: dir, Limits: Limits{Run: 1 << 20}}).Pass([]Writer{w, writer(t, unlocked), {Cluster: 3, PID: 1 << 22}})
	if err != nil || len(displaced) > 0 {
		t.Errorf("%v %v", displaced, err)
	}
	if info, err := out.Stat(); err != nil || onDisk(info) < 2<<20 {
		t.Errorf("the bot's own file was freed: %v", err)
	}
}
