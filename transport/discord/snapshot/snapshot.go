// Package snapshot keeps on disk what one shard's gateway must know to go on after its process has
// died: Discord's session, how far the bot has acknowledged its events, and the cache as of there.
//
// A log is a file of records: events for the cache, and commits. What follows the last whole commit
// does not count, so that a process may die at any moment: the next one resumes the session from
// that commit, and Discord sends the rest again. Nothing is forced to the disk, as a session does
// not outlive the machine for long; a checksum finds what a power failure left half.
//
//	file    "discluster snapshot 1\n", then records
//	record  length of the body (4 bytes), CRC-32C of the body (4 bytes), body; all big endian
//	body    'e', length of the kind (1 byte), kind, data
//	        's', suspects of the commit behind it: sequence (8 bytes) and ends (1 byte) of each
//	        'c', seq (8 bytes), intents (8 bytes), session's id
package snapshot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"github.com/discluster/control/transport/discord/cache"
)

const (
	magic = "discluster snapshot 1\n"

	bodyMax  = 64 << 20 // bytes of a record's body: a guild has a few MiB at most
	grownMin = 4 << 20  // bytes of events after which a log may be written over
	modeFile = 0o600    // it holds what the bot may see
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Commit is the progress of a session.
type Commit struct {
	Session string // Discord's; "": there is none
	Seq     int64  // of the last event that the bot has acknowledged
	Intents int64
}

// State is the content of a log when it was opened.
type State struct {
	Commit // the last one; zero: there was none
	Cache  cache.Cache
	// connections that ended over events after Seq, by sequence; nil: none did
	Suspects map[int64]uint8
	Torn     int64 // bytes behind the last commit: unreadable, or not committed
}

// Log is the log of one shard. One goroutine uses it.
type Log struct {
	path string
	file *os.File // nil: the next commit writes it all over
	// of the next commits
	suspects map[int64]uint8
	tail     []byte // records that are not committed
	whole    int64  // bytes up to the last commit
	base     int64  // bytes that the last Rewrite wrote
}

// Open reads a log, and makes it ready to go on. A file that is missing is an empty log; so is one
// that cannot be understood, which State.Torn reports.
func Open(path string) (*Log, State, error) {
	l := &Log{path: path}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return l, State{}, nil
	}
	if err != nil {
		return nil, State{}, fmt.Errorf("open snapshot: %w", err)
	}
	state, whole := read(bufio.NewReaderSize(file, 1<<20))
	info, err := file.Stat()
	if err == nil {
		state.Torn = info.Size() - whole
		err = file.Truncate(whole)
	}
	if err == nil {
		_, err = file.Seek(whole, io.SeekStart)
	}
	if err != nil {
		_ = file.Close()
		return nil, State{}, fmt.Errorf("open snapshot: %w", err)
	}
	if whole == 0 {
		return l, state, file.Close()
	}
	l.file, l.whole, l.base = file, whole, whole
	return l, state, nil
}

// read reads records up to the last whole commit, and returns how many bytes those are.
func read(from io.Reader) (state State, whole int64) {
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(from, head); err != nil || string(head) != magic {
		return State{}, 0
	}
	type event struct {
		kind string
		d    []byte
	}
	var pending []event
	var suspects map[int64]uint8
	for n := int64(len(magic)); ; {
		body, err := readBody(from)
		if err != nil {
			return state, whole
		}
		n += int64(len(body)) + 8
		if body[0] == 's' {
			suspects = parseSuspects(body[1:])
			continue
		}
		switch kind, d, commit, ok := parse(body); {
		case !ok:
			return state, whole
		case kind != "":
			pending = append(pending, event{kind, d})
		default:
			for _, e := range pending {
				state.Cache.Apply(e.kind, e.d)
			}
			pending, state.Commit, whole = nil, commit, n
			state.Suspects, suspects = suspects, nil
		}
	}
}

// readBody reads one record. An error states that it is none.
func readBody(from io.Reader) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > bodyMax {
		return nil, fmt.Errorf("record of %d bytes", n)
	}
	body, err := io.ReadAll(io.LimitReader(from, int64(n))) // grows with what there is
	if err != nil {
		return nil, err
	}
	if len(body) < int(n) || crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return nil, errors.New("torn record")
	}
	return body, nil
}

// parse takes a body apart: an event, or with an empty kind a commit.
func parse(body []byte) (kind string, d []byte, commit Commit, ok bool) {
	switch rest := body[1:]; {
	case body[0] == 'e' && len(rest) > 0 && int(rest[0]) < len(rest):
		n := int(rest[0])
		return string(rest[1 : 1+n]), rest[1+n:], Commit{}, n > 0
	case body[0] == 'c' && len(rest) >= 16:
		commit.Seq = int64(binary.BigEndian.Uint64(rest))
		commit.Intents = int64(binary.BigEndian.Uint64(rest[8:]))
		commit.Session = string(rest[16:])
		return "", nil, commit, commit.Seq >= 0
	}
	return "", nil, Commit{}, false
}

// Event adds an event that changed the cache. It is on disk after the next Commit.
func (l *Log) Event(kind string, d []byte) {
	l.tail = appendEvent(l.tail, kind, cache.Essence(kind, d))
}

func appendEvent(b []byte, kind string, d []byte) []byte {
	kind = kind[:min(len(kind), 255)]
	at := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 'e', byte(len(kind)))
	b = append(append(b, kind...), d...)
	return seal(b, at)
}

// Suspects notes which events connections ended over, with every commit from now on.
func (l *Log) Suspects(all map[int64]uint8) { l.suspects = all }

const suspectSize = 9 // bytes

func parseSuspects(d []byte) map[int64]uint8 {
	all := map[int64]uint8{}
	for ; len(d) >= suspectSize; d = d[suspectSize:] {
		all[int64(binary.BigEndian.Uint64(d))] = d[8]
	}
	return all
}

func appendCommit(b []byte, c Commit, suspects map[int64]uint8) []byte {
	at := len(b)
	if len(suspects) > 0 {
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 's')
		for seq, ends := range suspects {
			b = append(binary.BigEndian.AppendUint64(b, uint64(seq)), ends)
		}
		b = seal(b, at)
		at = len(b)
	}
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 'c')
	b = binary.BigEndian.AppendUint64(b, uint64(c.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Intents))
	return seal(append(b, c.Session...), at)
}

// seal writes the head of the record that begins at an index.
func seal(b []byte, at int) []byte {
	body := b[at+8:]
	binary.BigEndian.PutUint32(b[at:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[at+4:], crc32.Checksum(body, castagnoli))
	return b
}

// Commit writes what was added, and that the cache is now as of c: one write, which counts whole or
// not at all. Now and then, and after an error, it writes the file over from the cache. After an
// error the file counts as of the commit before, and the next Commit tries again.
func (l *Log) Commit(c Commit, known *cache.Cache) error {
	if l.file == nil || l.whole+int64(len(l.tail)) > max(2*l.base, l.base+grownMin) {
		return l.rewrite(c, known)
	}
	b := appendCommit(l.tail, c, l.suspects)
	n, err := l.file.Write(b)
	if l.tail = b[:0]; cap(l.tail) > grownMin {
		l.tail = nil
	}
	if err != nil {
		l.drop()
		return fmt.Errorf("write snapshot: %w", err)
	}
	l.whole += int64(n)
	return nil
}

// rewrite writes the file over, beside the old one, which it then replaces.
func (l *Log) rewrite(c Commit, known *cache.Cache) error {
	l.drop()
	l.tail = nil
	beside := l.path + ".new"
	file, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, modeFile)
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	to := &counting{to: bufio.NewWriterSize(file, 1<<20)}
	to.write([]byte(magic))
	var b []byte
	known.Save(func(kind string, d []byte) {
		b = appendEvent(b[:0], kind, d)
		to.write(b)
	})
	to.write(appendCommit(nil, c, l.suspects))
	if err = to.flush(); err == nil {
		err = os.Rename(beside, l.path)
	}
	if err != nil {
		_ = file.Close()
		_ = os.Remove(beside)
		return fmt.Errorf("write snapshot: %w", err)
	}
	l.file, l.whole, l.base = file, to.n, to.n
	return nil
}

// counting is a writer that keeps its first error.
type counting struct {
	to  *bufio.Writer
	n   int64
	err error
}

func (c *counting) write(b []byte) {
	if c.err == nil {
		_, c.err = c.to.Write(b)
		c.n += int64(len(b))
	}
}

func (c *counting) flush() error {
	if c.err == nil {
		c.err = c.to.Flush()
	}
	return c.err
}

// drop lets go of the file.
func (l *Log) drop() {
	if l.file != nil {
		_ = l.file.Close() // nothing of ours is buffered
		l.file = nil
	}
}

// Close lets go of the file. What was not committed is lost.
func (l *Log) Close() { l.drop() }
