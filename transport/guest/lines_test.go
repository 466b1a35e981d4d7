package guest

import (
	"bytes"
	"slices"
	"testing"
)

// Lines come out whole, however they are cut; a rest without a newline does not.
func TestLines(t *testing.T) {
	text := []byte("a\n\nbc\n{\"é\":1}\nrest")
	for size := 1; size <= len(text); size++ {
		var l Lines
		var got []string
		for part := range slices.Chunk(text, size) {
			l.Add(part, func(line []byte) { got = append(got, string(line)) }, func() { t.Error("too long") })
		}
		if want := []string{"a", "", "bc", `{"é":1}`}; !slices.Equal(got, want) {
			t.Errorf("in parts of %d: %q, want %q", size, got, want)
		}
	}
}

// A line over the limit is skipped and reported once; the next one is whole.
func TestLongLine(t *testing.T) {
	for _, size := range []int{LineMax, LongMax - 1, LongMax, LongMax + 1, 2 * LongMax} {
		var l Lines
		var got []int
		long := 0
		text := append(bytes.Repeat([]byte("x"), size), "\nok\n"...)
		for part := range slices.Chunk(text, 64<<10) {
			l.Add(part, func(line []byte) { got = append(got, len(line)) }, func() { long++ })
		}
		want := []int{size, 2}
		if size > LongMax {
			want = want[1:]
		}
		if !slices.Equal(got, want) || long != 2-len(want) {
			t.Errorf("%d bytes: lines of %v, %d too long", size, got, long)
		}
	}
}
