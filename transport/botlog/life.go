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
	lineMax  = 64 << 10 // of a line that is shown; the rest of a longer one is left out, and said to be
	roundMax = 4 << 20  // of a file, before the next file has its turn
)

// leftOut ends a line that is too long.
const leftOut = " … (the line goes on beyond 64 KiB)"

// Line is one line of a bot, without its newline, or a note of ours about the lines around it.
type Line struct {
	Cluster messages.ClusterID
	Text    []byte // until the call that told it returns
	Note    bool
}

// reader reads one life, line by line, while it grows and while its head is freed.
type reader struct {
	File
	f    *os.File
	say  func(Line)
	at   int64  // of what is read next
	line []byte // that has begun
	cut  bool   // the rest of the line is left out
	lost int64  // was freed before it was read
	over bool   // nobody could write to it when it was read last
}

// round reads what there is, for a while. more: there may be more at once. buf is for its use.
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

// ended looks why nothing could be read: it is the end, or somebody has emptied the file and it begins anew.
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
		r.note("the file was emptied by somebody else")
	}
	return nil
}

// take splits bytes into lines. Zeros are a hole: what comes behind it is another line.
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

// lines takes text without a zero.
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

// add lengthens the line.
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
		r.say(Line{Cluster: r.Cluster, Text: r.line})
	}
}

// end says a line that is whole.
func (r *reader) end() {
	if !r.cut {
		r.say(Line{Cluster: r.Cluster, Text: r.line})
	}
	r.line, r.cut = r.line[:0], false
}

// finish says a line that will not be whole.
func (r *reader) finish() {
	if len(r.line) > 0 {
		r.end()
	}
}

func (r *reader) note(text string) {
	r.say(Line{Cluster: r.Cluster, Text: []byte(text), Note: true})
}

// linesBack is where the last n lines of a file begin, and how many they are: n, or all there are.
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
			next := from + int64(i) + 1 // where the byte is followed by a line, if it is
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
