package botlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/discluster/control/messages"
)

// Limits of a reader.
const (
	chunkMax = 64 << 10 // of what is read at once
	lineMax  = 64 << 10 // of an emitted line; the rest of a longer one is left out, with a note
	roundMax = 4 << 20  // of a file, before the next file is read
)

// leftOut ends a line that is too long.
const leftOut = " … (the line goes on beyond 64 KiB)"

// Line is one line of a bot, without its newline, or a note of CONTROL about the lines around it.
type Line struct {
	Cluster messages.ClusterID
	Text    []byte // valid until Emit returns
	Note    bool
}

// reader reads one run, line by line, while it grows and while its head is freed.
type reader struct {
	File
	f        *os.File
	emit     func(Line)
	at       int64  // the next offset to read
	line     []byte // the part so far of a line
	cut      bool   // the rest of the line is left out
	lost     int64  // bytes that were freed before they were read
	finished bool   // no process could write to it at the last read
}

// round reads the available output, up to roundMax. more: there may be more at once. buf is for its
// use.
func (r *reader) round(buf []byte) (more bool, err error) {
	for read := 0; read < roundMax; {
		n, err := r.f.ReadAt(buf, r.at)
		if n == 0 {
			return false, r.ended(err)
		}
		read += n
		r.at += int64(n)
		if r.take(buf[:n]); r.lost > 0 && buf[n-1] == 0 { // in a hole: on to its end
			next := dataAfter(r.f, r.at)
			r.lost += next - r.at
			r.at = next
		}
	}
	return true, nil
}

// ended finds out why nothing could be read: the file ends there, or another program truncated it.
func (r *reader) ended(err error) error {
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("log of cluster %d: %w", r.Cluster, err)
	}
	info, err := r.f.Stat()
	if err != nil {
		return fmt.Errorf("log of cluster %d: %w", r.Cluster, err)
	}
	if info.Size() < r.at {
		r.finish()
		r.at = 0
		r.note("the file was emptied by another program")
	}
	return nil
}

// take splits bytes into lines. Zeros are a hole: it ends a line.
func (r *reader) take(b []byte) {
	for len(b) > 0 {
		text, rest := b, []byte(nil)
		if zero := bytes.IndexByte(b, 0); zero >= 0 {
			text, rest = b[:zero], bytes.TrimLeft(b[zero:], "\x00")
		}
		r.lines(text)
		if zeros := len(b) - len(text) - len(rest); zeros > 0 {
			r.finish()
			r.lost += int64(zeros)
		}
		b = rest
	}
}

// lines splits text without a zero.
func (r *reader) lines(text []byte) {
	if len(text) > 0 && r.lost > 0 {
		if dataAfter(r.f, 0) > 0 { // else the bot wrote the zeros itself
			r.note(fmt.Sprintf("%d bytes were freed before they could be read", r.lost))
		}
		r.lost = 0
	}
	for {
		part, rest, ends := bytes.Cut(text, []byte{'\n'})
		r.add(part)
		if !ends {
			return
		}
		r.end()
		text = rest
	}
}

// add appends to the line.
func (r *reader) add(part []byte) {
	if r.cut {
		return
	}
	room := lineMax - len(r.line)
	if len(part) > room {
		part = append(part[:room:room], leftOut...)
		r.cut = true
	}
	if r.line = append(r.line, part...); r.cut {
		r.emit(Line{Cluster: r.Cluster, Text: r.line})
	}
}

// end emits a whole line.
func (r *reader) end() {
	if !r.cut {
		r.emit(Line{Cluster: r.Cluster, Text: r.line})
	}
	r.line, r.cut = r.line[:0], false
}

// finish emits a line without an end.
func (r *reader) finish() {
	if len(r.line) > 0 {
		r.end()
	}
}

func (r *reader) note(text string) {
	r.emit(Line{Cluster: r.Cluster, Text: []byte(text), Note: true})
}

// linesBack returns the offset of the last n lines of a file, and their number: n, or all there
// are.
func linesBack(f *os.File, n int, buf []byte) (at int64, lines int, err error) {
	info, err := f.Stat()
	if err != nil || n <= 0 || info.Size() == 0 {
		return sizeOf(info), 0, err
	}
	size := info.Size()
	for end := size; end > 0; end -= int64(len(buf)) {
		from := max(0, end-int64(len(buf)))
		b := buf[:end-from]
		if _, err := f.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		for i := len(b) - 1; i >= 0; i-- {
			next := from + int64(i) + 1 // the offset of a following line, if any
			switch {
			case b[i] == 0: // the hole
				if next < size {
					lines++
				}
				return next, lines, nil
			case b[i] == '\n' && next < size:
				if lines++; lines == n {
					return next, lines, nil
				}
			}
		}
	}
	return 0, lines + 1, nil
}

func sizeOf(info os.FileInfo) int64 {
	if info == nil {
		return 0
	}
	return info.Size()
}
