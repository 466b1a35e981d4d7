package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

func TestTail(t *testing.T) {
	line := strings.Repeat("x", 99) + "\n"
	full := strings.Repeat(line, TailMax/100)
	for name, c := range map[string]struct {
		text   string
		before int64
		want   string
	}{
		"nothing":                      {"", 0, ""},
		"one line":                     {"a\n", 0, "a"},
		"no newline at the end":        {"a\nb", 0, "a\nb"},
		"earlier runs are left out":    {"old\nnew\n", 4, "new"},
		"nothing but earlier runs":     {"old\n", 4, ""},
		"cut by a rotation":            {"new\n", 400, "new"},
		"a hole punched by a rotation": {"\x00\x00\x00a\n", 0, "a"},
		"broken bytes":                 {"a\xff\xfeb\n", 0, "a?b"},
		"exactly full":                 {strings.Repeat("y", TailMax), 0, strings.Repeat("y", TailMax)},
		"whole lines of a long output": {"y\n" + line + full, 0, full[:len(full)-1]},
		"a line begins at the cut":     {"y\n" + strings.Repeat("x", TailMax-1) + "\n", 0, strings.Repeat("x", TailMax-1)},
		"one line longer than all":     {strings.Repeat("y", 2*TailMax), 0, strings.Repeat("y", TailMax)},
		"a long line and its newline":  {strings.Repeat("y", 2*TailMax) + "\n", 0, strings.Repeat("y", TailMax-1)},
		"a long line of wide letters":  {"aa" + strings.Repeat("日", TailMax), 0, strings.Repeat("日", TailMax/3)},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got := Tail(path, c.before)
			if got != c.want {
				t.Errorf("got %q (%d bytes)\nwant %q (%d bytes)", got, len(got), c.want, len(c.want))
			}
			if len(got) > TailMax || !utf8.ValidString(got) {
				t.Errorf("%d bytes, valid: %v", len(got), utf8.ValidString(got))
			}
		})
	}
}

// A start takes the spare file for a missing output and leaves another one. A file that is not ours
// is not taken, and an output that exists is not replaced.
func TestSpareOutput(t *testing.T) {
	leakless(t)
	for name, c := range map[string]struct {
		prepare func(output, spare string) error
		taken   bool
		last    string // text of the spare file after the start
	}{
		"spare":          {func(_, spare string) error { return os.WriteFile(spare, nil, 0o600) }, true, ""},
		"none":           {func(_, _ string) error { return nil }, false, ""},
		"with a text":    {func(_, spare string) error { return os.WriteFile(spare, []byte("x"), 0o600) }, false, "x"},
		"for others":     {func(_, spare string) error { return os.WriteFile(spare, nil, 0o644) }, false, ""},
		"another's link": {func(output, spare string) error { return os.Symlink(os.DevNull, spare) }, false, ""},
		"output is present": {func(output, spare string) error {
			return errors.Join(os.WriteFile(output, []byte("old\n"), 0o600), os.WriteFile(spare, nil, 0o600))
		}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			output, spare := filepath.Join(dir, "out"), SpareOutput(dir)
			if err := c.prepare(output, spare); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(spare)
			old, _ := os.ReadFile(output)
			_, exits := run(t, Spec{Argv: []string{"echo", "new"}, Output: output, Spare: spare})
			<-exits
			after, err := os.Lstat(output)
			if err != nil {
				t.Fatal(err)
			}
			if taken := before != nil && os.SameFile(before, after); taken != c.taken {
				t.Errorf("the spare file was taken: %v, want %v", taken, c.taken)
			}
			if got, _ := os.ReadFile(output); string(got) != string(old)+"new\n" {
				t.Errorf("output %q, want %q", got, string(old)+"new\n")
			}
			if got, err := os.ReadFile(spare); err != nil || string(got) != c.last {
				t.Errorf("spare file %q, %v, want %q", got, err, c.last)
			}
		})
	}
}

// A failed exclusive lock on an output shows that a bot writes to it.
func TestOutputIsLockedWhileTheChildLives(t *testing.T) {
	leakless(t)
	path := filepath.Join(t.TempDir(), "out")
	p, exits := run(t, Spec{Argv: []string{"sleep", "1000"}, Output: path})
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	alone := func() error { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
	if err := alone(); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("while it lives: %v", err)
	}
	p.Signal(syscall.SIGKILL)
	receive(t, exits)
	if err := alone(); err != nil {
		t.Errorf("when it is dead: %v", err)
	}
}

func TestTailOfWhatIsNoFile(t *testing.T) {
	for _, path := range []string{"", "/nonexistent/out", t.TempDir(), os.DevNull, "/dev/zero"} {
		if got := Tail(path, 0); got != "" {
			t.Errorf("%q: got %q", path, got)
		}
	}
}
