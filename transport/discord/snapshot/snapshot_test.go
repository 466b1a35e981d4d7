package snapshot

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/discluster/control/transport/discord/cache"
)

// world is a cache and its log.
type world struct {
	t     testing.TB
	path  string
	log   *Log
	cache cache.Cache
	seq   int64

	suspects map[int64]uint8
}

func begin(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "shard-3")}
	state := w.open()
	if state.Session != "" || state.Torn != 0 || state.Cache.Begun() {
		t.Fatalf("a missing file holds %+v", state.Commit)
	}
	return w
}

func (w *world) open() State {
	w.t.Helper()
	log, state, err := Open(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.log = log
	w.t.Cleanup(log.Close)
	return state
}

func (w *world) event(kind, d string) {
	w.seq++
	w.cache.Apply(kind, []byte(d))
	w.log.Event(kind, []byte(d))
}

func (w *world) commit() {
	w.t.Helper()
	if err := w.log.Commit(Commit{"s", w.seq, 513}, &w.cache); err != nil {
		w.t.Fatal(err)
	}
}

// play makes three events and a commit, then two more and a commit.
func (w *world) play() {
	w.event("READY", `{"session_id":"s","user":{"id":"7"},"guilds":[{"id":"1"},{"id":"2"}],"private_channels":[]}`)
	w.event("GUILD_CREATE", `{"id":"1","name":"a","member_count":1,"channels":[{"id":"5"}],"members":[]}`)
	w.event("GUILD_DELETE", `{"id":"2","unavailable":true}`)
	w.commit()
	w.event("MESSAGE_CREATE", `{"id":"9","guild_id":"1","channel_id":"5"}`)
	w.event("GUILD_UPDATE", `{"id":"1","name":"b"}`)
	w.suspects = map[int64]uint8{6: 2}
	w.log.Suspects(w.suspects)
	w.commit()
}

// text returns the events with which a cache begins a session.
func text(c *cache.Cache) string {
	var b bytes.Buffer
	b.Write(c.Ready("s", "u"))
	for _, id := range c.Guilds() {
		kind, d := c.Guild(id)
		fmt.Fprintf(&b, "\n%s %s", kind, d)
	}
	return b.String()
}

func TestReopen(t *testing.T) {
	w := begin(t)
	w.play()
	for range 3 { // a file that is opened goes on
		want := text(&w.cache)
		state := w.open()
		if state.Commit != (Commit{"s", w.seq, 513}) || state.Torn != 0 {
			t.Errorf("opened at %+v, %d torn", state.Commit, state.Torn)
		}
		if got := text(&state.Cache); got != want {
			t.Errorf("opened:\n%s\nwant\n%s", got, want)
		}
		if !maps.Equal(state.Suspects, w.suspects) {
			t.Errorf("suspects %v, want %v", state.Suspects, w.suspects)
		}
		w.suspects = map[int64]uint8{w.seq + 1: 1, w.seq + 2: 2}
		if w.seq == 6 {
			w.suspects = nil
		}
		w.log.Suspects(w.suspects)
		w.event("GUILD_ROLE_CREATE", fmt.Sprintf(`{"guild_id":"1","role":{"id":"%d"}}`, 10+w.seq))
		w.commit()
	}
	if info, err := os.Stat(w.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file is %v (%v)", info.Mode(), err)
	}
}

// TestTorn cuts the file at every byte, and flips every byte: what is opened is one of the two
// commits or nothing, as of its sequence, and never anything else.
func TestTorn(t *testing.T) {
	w := begin(t)
	w.play()
	whole, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	first, second := "", text(&w.cache)
	seen := map[int64]int{}
	check := func(what string, file []byte) {
		t.Helper()
		state, n := read(bytes.NewReader(file))
		seen[state.Seq]++
		switch got := text(&state.Cache); state.Seq {
		case 0:
			if state.Cache.Begun() || n > int64(len(file)) {
				t.Errorf("%s: begun without a commit", what)
			}
		case 3:
			if first == "" {
				first = got
			}
			if got != first {
				t.Errorf("%s: at 3 is %s", what, got)
			}
		case 5:
			if got != second || state.Suspects[6] != 2 {
				t.Errorf("%s: at 5 is %s, with suspects %v", what, got, state.Suspects)
			}
		default:
			t.Errorf("%s: opened at %+v", what, state.Commit)
		}
	}
	for i := range whole {
		check(fmt.Sprint("cut at ", i), whole[:i])
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		check(fmt.Sprint("flipped at ", i), flipped)
	}
	check("whole", whole)
	if seen[0] == 0 || seen[3] == 0 || seen[5] != 1 {
		t.Errorf("opened at %v", seen)
	}
	if err := os.WriteFile(w.path, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	state := w.open()
	if state.Seq != 3 || state.Torn == 0 {
		t.Errorf("a torn file is opened at %d, %d torn", state.Seq, state.Torn)
	}
	w.cache, w.seq = state.Cache, state.Seq
	w.event("GUILD_DELETE", `{"id":"1"}`)
	w.commit()
	if state := w.open(); state.Seq != 4 || state.Torn != 0 || text(&state.Cache) != text(&w.cache) {
		t.Errorf("what follows a torn commit is opened at %d, %d torn", state.Seq, state.Torn)
	}
}

// TestGrowth: a log does not grow forever, and is then as new.
func TestGrowth(t *testing.T) {
	w := begin(t)
	w.play()
	name := bytes.Repeat([]byte("x"), 1<<20)
	largest := int64(0)
	for range 20 {
		w.event("GUILD_UPDATE", fmt.Sprintf(`{"id":"1","name":%q}`, name))
		w.event("GUILD_MEMBER_ADD", `{"guild_id":"1","user":{"id":"8"}}`)
		w.commit()
		info, err := os.Stat(w.path)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if largest > 7<<20 {
		t.Errorf("the log grew to %d bytes", largest)
	}
	if state := w.open(); state.Seq != w.seq || text(&state.Cache) != text(&w.cache) {
		t.Errorf("opened at %d, want %d", state.Seq, w.seq)
	}
	if left, err := filepath.Glob(w.path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestNoDisk: what cannot be written is an error, and is written whole once it can.
func TestNoDisk(t *testing.T) {
	w := begin(t)
	w.play()
	w.log.Close()
	w.log.file, _ = os.Open(w.path) // refuses writes
	w.event("GUILD_DELETE", `{"id":"2"}`)
	if err := w.log.Commit(Commit{"s", w.seq, 513}, &w.cache); err == nil {
		t.Fatal("no error")
	}
	if state := w.open(); state.Seq != 5 {
		t.Errorf("after the error the file is at %d", state.Seq)
	}
	w.log.Close()
	w.log.file = nil
	if err := os.Mkdir(w.path+".new", 0o700); err != nil { // in the way of a rewrite
		t.Fatal(err)
	}
	if err := w.log.Commit(Commit{"s", w.seq, 513}, &w.cache); err == nil {
		t.Fatal("no error of a rewrite")
	}
	if err := os.Remove(w.path + ".new"); err != nil {
		t.Fatal(err)
	}
	w.commit()
	if state := w.open(); state.Seq != 6 || text(&state.Cache) != text(&w.cache) {
		t.Errorf("opened at %d", state.Seq)
	}
	if err := os.WriteFile(w.path, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if state := w.open(); state.Torn != 14 || state.Session != "" {
		t.Errorf("another file: %+v, %d torn", state.Commit, state.Torn)
	}
	if _, _, err := Open(filepath.Dir(w.path)); err == nil {
		t.Error("a folder is opened")
	}
}

// FuzzRead: whatever is in a file, it is read without a panic, and what it holds can be written.
func FuzzRead(f *testing.F) {
	w := begin(f)
	w.play()
	whole, err := os.ReadFile(w.path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[len(magic):])
	f.Fuzz(func(t *testing.T, records []byte) {
		// Checksums are made right, so that what is behind them is read.
		file := []byte(magic)
		for rest := records; len(rest) > 8; {
			n := min(int(uint(rest[2])<<8|uint(rest[3])), len(rest)-8)
			at := len(file)
			file = seal(append(file, rest[:8+n]...), at)
			rest = rest[8+n:]
		}
		for _, text := range [][]byte{records, file} {
			state, n := read(bytes.NewReader(text))
			if n > int64(len(text)) {
				t.Fatalf("%d bytes of %d are whole", n, len(text))
			}
			var again cache.Cache
			state.Cache.Save(func(kind string, d []byte) { again.Apply(kind, bytes.Clone(d)) })
			if state.Cache.Begun() != again.Begun() {
				t.Fatal("cannot be saved")
			}
		}
	})
}

func BenchmarkCommit(b *testing.B) {
	w := begin(b)
	w.play()
	for b.Loop() {
		w.event("GUILD_ROLE_UPDATE", `{"guild_id":"1","role":{"id":"1","name":"x"}}`)
		w.commit()
	}
}
