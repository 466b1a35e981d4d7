package botlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Where no hole can be punched the file is rewritten: it is as long as before, and its tail has its
// old offset, for readers and writers.
func TestMend(t *testing.T) {
	for name, text := range map[string]string{
		"empty":              "",
		"short":              "a\nb\n",
		"many lines":         strings.Repeat("0123456789\n", 100_000),
		"no line ends":       strings.Repeat("x", 1<<20),
		"ends within a line": strings.Repeat("0123456789\n", 100_000) + "01234",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			bot := create(t, path)
			fmt.Fprint(bot, text)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := rewrite(f); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(bot, "more\n")
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := text + "more\n"
			tail := strings.TrimLeft(string(got), "\x00")
			if len(got) != len(want) || !strings.HasSuffix(want, tail) || len(tail) < min(len(want), tailMax-20) {
				t.Errorf("%d bytes, the last of them %d: %.60q…; want %d", len(got), len(tail), tail, len(want))
			}
			if from := len(want) - len(tail); from > 0 && strings.Contains(text, "\n") && want[from-1] != '\n' {
				t.Errorf("it begins within a line: %.60q", tail)
			}
		})
	}
}

// Ended runs are removed, the oldest first; a running one stays, however old.
func TestPast(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		limit int64
		want  string
	}{
		"no limit":     {0, "123456"},
		"all fit":      {6 * mib, "123456"},
		"one too many": {3*mib + mib/2, "13456"}, // the ended ones are 2, 3, 5 and 6
		"two too many": {2*mib + mib/2, "1456"},
		"not even one": {mib / 2, "14"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i := 1; i <= 6; i++ {
				path := file(dir, i%2, i)
				f := create(t, path)
				fmt.Fprint(f, strings.Repeat("x", mib))
				if i != 1 && i != 4 { // those run
					f.Close()
				}
				at := time.Unix(int64(i)*1000, 0)
				if err := os.Chtimes(path, at, at); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := (&Keeper{Dir: dir, Limits: Limits{Ended: c.limit}}).Pass(nil); err != nil {
				t.Fatal(err)
			}
			got := ""
			for i := 1; i <= 6; i++ {
				if _, err := os.Stat(file(dir, i%2, i)); err == nil {
					got += fmt.Sprint(i)
				}
			}
			if got != c.want {
				t.Errorf("%s are left, want %s", got, c.want)
			}
		})
	}
}

func TestPastInNumber(t *testing.T) {
	dir := t.TempDir()
	for i := range endedMax + 5 {
		if err := os.WriteFile(file(dir, i, 1), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (&Keeper{Dir: dir}).Pass(nil); err != nil {
		t.Fatal(err)
	}
	if files, err := Files(dir); err != nil || len(files) != endedMax {
		t.Errorf("%d are left, %v", len(files), err)
	}
}

// A file that cannot be read is reported by its name, and affects no other.
func TestPassOfAFolderThatIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs")
	if _, err := (&Keeper{Dir: path}).Pass(nil); err != nil {
		t.Errorf("a missing folder: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Keeper{Dir: path}).Pass(nil); !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}
