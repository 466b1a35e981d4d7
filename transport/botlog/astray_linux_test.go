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

// A file that was removed or renamed under its bot is kept within its limit, and reported; one that
// is in its place is not.
func TestAstray(t *testing.T) {
	const limit = 1 << 20
	for name, c := range map[string]struct {
		move   func(path string) error
		astray string // how the name of what is written to ends; "": it is in its place
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
			k := &Keeper{Dir: dir, Limits: Limits{Life: limit}}
			astray, err := k.Pass([]Writer{w})
			if err != nil {
				t.Fatal(err)
			}
			if got := astray[w]; !strings.HasSuffix(got, c.astray) || (got == "") != (c.astray == "") {
				t.Errorf("astray: %q, want …%s", got, c.astray)
			}
			if got := Astray(dir, w); got != astray[w] {
				t.Errorf("Astray: %q, Pass: %q", got, astray[w])
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

// What a bot itself sends its output to is its own, and a process that is gone has none.
func TestAstrayLeavesTheBotsOwn(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "bot.log")
	out := create(t, own)
	w := writer(t, out)
	if _, err := out.Write(make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	unlocked, err := os.Create(filepath.Join(t.TempDir(), "cluster-3-today")) // no file of ours: it is not locked
	if err != nil {
		t.Fatal(err)
	}
	defer unlocked.Close()
	astray, err := (&Keeper{Dir: dir, Limits: Limits{Life: 1 << 20}}).Pass([]Writer{w, writer(t, unlocked), {Cluster: 3, PID: 1 << 22}})
	if err != nil || len(astray) > 0 {
		t.Errorf("%v %v", astray, err)
	}
	if info, err := out.Stat(); err != nil || onDisk(info) < 2<<20 {
		t.Errorf("the bot's own file was freed: %v", err)
	}
}
