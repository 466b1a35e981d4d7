package botlog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// written returns a file with a text.
func written(t testing.TB, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// linesOf returns the lines of a reader for its whole file, notes in brackets, read in chunks of a
// size.
func linesOf(t *testing.T, f *os.File, at int64, chunk int) (lines []string) {
	t.Helper()
	r := &reader{f: f, at: at, emit: func(l Line) {
		if l.Note {
			lines = append(lines, "["+string(l.Text)+"]")
			return
		}
		lines = append(lines, string(l.Text))
	}}
	for more := true; more; {
		var err error
		if more, err = r.round(make([]byte, chunk)); err != nil {
			t.Fatal(err)
		}
	}
	r.finish()
	return lines
}

func TestReader(t *testing.T) {
	full := strings.Repeat("x", lineMax)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                  {"", nil},
		"lines":                    {"a\nbc\n", []string{"a", "bc"}},
		"no newline at the end":    {"a\nb", []string{"a", "b"}},
		"empty lines":              {"\n\na\n", []string{"", "", "a"}},
		"as a bot coloured it":     {"\x1b[31mred\x1b[0m\r\n", []string{"\x1b[31mred\x1b[0m\r"}},
		"of the maximum length":    {full + "\na\n", []string{full, "a"}},
		"one byte longer":          {full + "x\na\n", []string{full + leftOut, "a"}},
		"much longer":              {full + full + full + "\na\n", []string{full + leftOut, "a"}},
		"too long, and it goes on": {full + "x", []string{full + leftOut}},
		"zeros of the bot's own":   {"a\x00\x00b\n\x00c\n", []string{"a", "b", "c"}},
		"nothing but zeros":        {strings.Repeat("\x00", 100), nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, chunk := range []int{1, 3, chunkMax} {
				if chunk < 3 && len(c.text) > lineMax {
					continue
				}
				if got := linesOf(t, written(t, c.text), 0, chunk); !slices.Equal(got, c.want) {
					t.Errorf("by %d: got %.100q, want %.100q", chunk, got, c.want)
				}
			}
		})
	}
}

// A line without an end is emitted before the lines after the hole.
func TestReaderWithHalfALine(t *testing.T) {
	f := written(t, "a\nhalf")
	var lines []string
	r := &reader{f: f, emit: func(l Line) { lines = append(lines, string(l.Text)) }}
	round := func() {
		t.Helper()
		if _, err := r.round(make([]byte, chunkMax)); err != nil {
			t.Fatal(err)
		}
	}
	round()
	if err := f.Truncate(0); err != nil { // by hand
		t.Fatal(err)
	}
	round()
	if _, err := f.WriteAt([]byte("again\n"), 0); err != nil {
		t.Fatal(err)
	}
	round()
	if want := []string{"a", "half", "the file was emptied by another program", "again"}; !slices.Equal(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
}

func TestLinesBack(t *testing.T) {
	long := strings.Repeat("x", 3*chunkMax) + "\n"
	for name, c := range map[string]struct {
		text      string
		n         int
		at        int64
		wantLines int
	}{
		"nothing":                  {"", 5, 0, 0},
		"none wanted":              {"a\nb\n", 0, 4, 0},
		"fewer":                    {"a\nb\n", 5, 0, 2},
		"as many":                  {"a\nb\n", 2, 0, 2},
		"more":                     {"a\nb\nc\n", 2, 2, 2},
		"the last has no newline":  {"a\nb\nc", 2, 2, 2},
		"one":                      {"a\nbc\n", 1, 2, 1},
		"empty lines":              {"a\n\n\n", 2, 2, 2},
		"lines over several reads": {"a\n" + long + long, 2, 2, 2},
		"a hole":                   {"\x00\x00\x00a\nb\n", 5, 3, 2},
		"nothing but a hole":       {"\x00\x00\x00", 5, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			at, lines, err := linesBack(written(t, c.text), c.n, make([]byte, chunkMax))
			if err != nil || at != c.at || lines != c.wantLines {
				t.Errorf("got %d, %d lines, %v; want %d, %d", at, lines, err, c.at, c.wantLines)
			}
		})
	}
}

// Lines do not depend on how the bytes arrive, and none is longer than the limit.
func FuzzReader(f *testing.F) {
	f.Add([]byte("a\n\x00\x00b\nc"), uint16(1))
	f.Add([]byte(strings.Repeat("x", lineMax+10)+"\n\x00y"), uint16(1000))
	f.Fuzz(func(t *testing.T, text []byte, chunk uint16) {
		file := written(t, string(text))
		whole := linesOf(t, file, 0, len(text)+1)
		if parts := linesOf(t, file, 0, int(chunk)+1); !slices.Equal(whole, parts) {
			t.Errorf("at once %.200q\nby %d: %.200q", whole, chunk+1, parts)
		}
		for _, line := range whole {
			if len(line) > lineMax+len(leftOut) || strings.ContainsAny(line, "\n\x00") {
				t.Errorf("line of %d bytes: %.100q", len(line), line)
			}
		}
	})
}
