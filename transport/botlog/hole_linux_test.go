package botlog

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A bot writes as fast as it can, and its file is freed repeatedly: the rest is always one unbroken
// run of lines up to the last.
func TestPassWhileTheBotWrites(t *testing.T) {
	t.Parallel()
	const limit = 4 << 20
	dir := t.TempDir()
	path := file(dir, 0, 1)
	k := &Keeper{Dir: dir, Limits: Limits{Run: limit}}
	done, stop := flood(t, path, 1<<30)
	for cuts, before, ended := 0, 0, false; !ended; {
		ended = isClosed(done)
		if _, err := k.Pass(nil); err != nil {
			t.Fatal(err)
		}
		if first, _ := kept(t, path); first > before {
			cuts, before = cuts+1, first
		}
		if cuts == 10 {
			stop()
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if first, last := kept(t, path); int64(last+1)*width != info.Size() || last-first < limit/2/width {
		t.Errorf("lines %d to %d are left, of a file of %d bytes", first, last, info.Size())
	}
	if onDisk(info) > limit {
		t.Errorf("%d bytes are left on disk, want %d at most", onDisk(info), limit)
	}
}

// Freeing what a reader has read does not disturb it: it reads every line of a bot that writes as
// fast as it can, once.
func TestFreedBehindTheReader(t *testing.T) {
	t.Parallel()
	const lines = 300_000
	path := file(t.TempDir(), 0, 1)
	done, _ := flood(t, path, lines)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	next, freed := 0, int64(0)
	r := &reader{f: f, emit: func(l Line) {
		if n := number(l.Text); n != next {
			t.Fatalf("want line %d, got %.120q", next, l.Text)
		}
		next++
	}}
	buf := make([]byte, chunkMax)
	for ended := false; !ended || next < lines; {
		ended = isClosed(done)
		if _, err := r.round(buf); err != nil {
			t.Fatal(err)
		}
		upTo := r.at - int64(len(r.line))
		if err := punch(f, upTo); err != nil {
			t.Fatal(err)
		}
		if ended && freed == upTo {
			break
		}
		freed = upTo
	}
	if info, err := f.Stat(); next != lines || err != nil || onDisk(info) > 1<<20 {
		t.Errorf("%d lines read of %d, %d bytes left on disk, %v", next, lines, onDisk(info), err)
	}
}

// A reader that comes too late gets a note of how much was lost, and continues at a whole line.
func TestReaderThatIsTooSlow(t *testing.T) {
	dir := t.TempDir()
	path := file(dir, 3, 1)
	done, _ := flood(t, path, 100_000)
	<-done
	var got []string
	w := &Follower{Dir: dir, Emit: func(l Line) {
		if l.Note || len(got) == 1 {
			got = append(got, fmt.Sprint(l.Cluster, " ", string(l.Text)))
		}
	}}
	if err := w.Begin(100_000); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Keeper{Dir: dir, Limits: Limits{Run: 4 << 20}}).Pass(nil); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		var err error
		if more, err = w.Round(); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := kept(t, path)
	want := []string{fmt.Sprintf("3 %d bytes were freed before they could be read", first*width), fmt.Sprintf("3 %0*d", width-1, first)}
	if first == 0 || !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// On a file system without holes the limit is kept too, and the loss is reported.
func TestPassWithoutHoles(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("botlog", dir, "ramfs", 0, ""); err != nil {
		t.Skipf("skipped: no ramfs can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := file(dir, 0, 1)
	bot := create(t, path)
	fmt.Fprint(bot, strings.Repeat("0123456789\n", 200_000))
	k := &Keeper{Dir: dir, Limits: Limits{Run: 1 << 20}}
	if _, err := k.Pass(nil); !errors.Is(err, ErrNoHoles) {
		t.Errorf("got %v", err)
	}
	if _, err := k.Pass(nil); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 2_200_000 || onDisk(info) > 1<<20 {
		t.Errorf("%d bytes long, %d on disk, %v", info.Size(), onDisk(info), err)
	}
	bot.Close()
}

// A hole between the last read and the next.
func TestReaderAcrossAHole(t *testing.T) {
	const lines = 100_000
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "%09d\n", i)
	}
	for name, c := range map[string]struct {
		at, freed int64
		want      []string // the first two
	}{
		"freed behind it":              {500_000, 400_000, []string{"000050000", "000050001"}},
		"freed right up to it":         {500_000, 500_000, []string{"000050000", "000050001"}},
		"a little was freed before it": {499_990, 500_000, []string{"[10 bytes were freed before they could be read]", "000050000"}},
		"much was freed before it":     {0, 900_000, []string{"[900000 bytes were freed before they could be read]", "000090000"}},
		"in the middle of a line":      {499_995, 600_000, []string{"[100005 bytes were freed before they could be read]", "000060000"}},
		"all was freed":                {0, 10 * lines, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := written(t, text.String())
			if err := punch(f, c.freed); err != nil {
				t.Fatal(err)
			}
			for _, chunk := range []int{1000, chunkMax} {
				got := linesOf(t, f, c.at, chunk)
				if len(c.want) == 0 && len(got) == 0 {
					continue
				}
				if len(got) < 2 || !slices.Equal(got[:2], c.want) || got[len(got)-1] != fmt.Sprintf("%09d", lines-1) {
					t.Errorf("got %.120q, want %q", got, c.want)
				}
			}
		})
	}
}
