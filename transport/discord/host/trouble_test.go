package host

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/messages"
)

// troubled waits for a trouble of a kind.
func (st *stage) troubled(kind messages.TroubleKind) messages.ChildTrouble {
	st.t.Helper()
	for {
		select {
		case m := <-st.trouble:
			if m.Kind == kind {
				return m
			}
		case <-time.After(patience):
			st.t.Fatalf("no trouble %s", kind)
		}
	}
}

// closed reads until the connection is closed, and returns how.
func (b *bot) closed() *websocket.CloseError {
	b.t.Helper()
	for {
		if err := b.frame(); err != nil {
			end, ok := errors.AsType[*websocket.CloseError](err)
			if !ok {
				b.t.Fatal(err)
			}
			return end
		}
	}
}

// acknowledges reads and acknowledges events, until stop returns true.
func (b *bot) acknowledges(stop func() bool) {
	b.t.Helper()
	for !stop() {
		b.reads(len(b.numbers) + 20)
		b.send(`{"op":1,"d":%d}`, b.seq)
	}
}

func (h *running) ends(b *bot) {
	b.dies(h)
	h.kill()
	<-h.done
	_ = h.Close()
}

// TestDropped: events that wait too long for a bot are dropped and reported; the next one starts
// over, at no identify.
func TestDropped(t *testing.T) {
	st := newStage(t, 1000)
	h := st.host()
	b := st.bot(h, 513)
	b.reads(20)
	b.dies(h)
	h.budget.most = 1
	var m messages.ChildTrouble
	for m.Kind != messages.TroubleDropped {
		h.look(ears{})
		select {
		case m = <-st.trouble:
		case <-time.After(10 * time.Millisecond):
		}
	}
	if m.Shard == nil || *m.Shard != 0 || m.Events < 100 || m.Events > 5000 || !regexp.MustCompile(`^\d+ events that waited for the bot were dropped, since they took all the memory that they may; a bot that is connected starts over$`).MatchString(m.Err) {
		t.Errorf("reported as %+v", m)
	}
	next := st.bot(h, 513)
	next.reads(20)
	if next.numbers[0] <= b.numbers[len(b.numbers)-1]+100 || len(next.guilds) != 3 {
		t.Errorf("after %d came %d; guilds %v", b.numbers[len(b.numbers)-1], next.numbers[0], next.guilds)
	}
	if score := st.discord.Score(); score.Identifies != 1 {
		t.Errorf("Discord saw %d IDENTIFYs", score.Identifies)
	}
	h.ends(next)
}

// TestRefusedAreReported: whatever a bot does wrong is reported, with the shard where it has one.
func TestRefusedAreReported(t *testing.T) {
	st := newStage(t, 0)
	h := st.host()
	b := st.bot(h, 513)
	b.until(func() bool { return len(b.guilds) == 3 })
	other := st.dial(h)
	other.send(`{"op":2,"d":{"token":"other","intents":513}}`)
	if end := other.closed(); end.Code != 4004 {
		t.Errorf("another token: closed with %v", end)
	}
	if m := st.troubled(messages.TroubleRefused); m.Shard != nil || m.CloseCode != 4004 || m.Err != "The token is not this bot's." {
		t.Errorf("reported as %+v", m)
	}
	second := st.dial(h)
	second.send(`{"op":2,"d":{"token":"good","intents":513}}`)
	if end := second.closed(); end.Code != 4000 {
		t.Errorf("a second bot: closed with %v", end)
	}
	if m := st.troubled(messages.TroubleRefused); m.CloseCode != 4000 || m.Err != "Another connection has shard 0. Does the bot run twice?" {
		t.Errorf("reported as %+v", m)
	}
	for range 1000 { // far more than Discord takes
		if b.ws.WriteMessage(websocket.TextMessage, []byte(`{"op":3,"d":{"status":"idle"}}`)) != nil {
			break
		}
	}
	if end := b.closed(); end.Code != 4008 {
		t.Errorf("a bot that sends too much: closed with %v", end)
	}
	if m := st.troubled(messages.TroubleRefused); m.Shard == nil || *m.Shard != 0 || m.CloseCode != 4008 || m.Err != "A request cannot be sent to Discord: too many packets wait to be sent to Discord" {
		t.Errorf("reported as %+v", m)
	}
	for range 3 * floodMax {
		stranger := st.dial(h)
		stranger.send(`x`)
		stranger.closed()
	}
	if n := len(st.trouble); n > floodMax {
		t.Errorf("%d reports of strangers", n)
	}
	h.ends(b)
}

func (st *stage) dial(h *running) *bot {
	st.t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(h.URL(), nil)
	if err != nil {
		st.t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	return &bot{t: st.t, ws: ws}
}

// TestUnkept: a disk that is full is reported once, and when it is over; the bot serves on.
func TestUnkept(t *testing.T) {
	st := newStage(t, 200)
	inTheWay := filepath.Join(st.dir, "shard-0.new") // of the first snapshot
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	h := st.host()
	b := st.bot(h, 513)
	b.acknowledges(func() bool { return len(st.trouble) > 0 })
	m := <-st.trouble
	if m.Kind != messages.TroubleUnkept || m.Shard == nil || m.Over || !strings.HasPrefix(m.Err, "sessions and guilds cannot be written: write snapshot: ") {
		t.Errorf("reported as %+v", m)
	}
	b.reads(len(b.numbers) + 300) // more than a second: it is tried again
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	b.acknowledges(func() bool { return len(st.trouble) > 0 })
	m = <-st.trouble
	if m.Kind != messages.TroubleUnkept || m.Shard != nil || !m.Over {
		t.Errorf("reported as %+v", m)
	}
	later := len(b.numbers) + 300
	b.acknowledges(func() bool { return len(b.numbers) > later })
	if n := len(st.trouble); n > 0 {
		t.Errorf("%d reports of a disk with room", n)
	}
	h.ends(b)
}

// TestTornIsReported: a snapshot that is cut off is used as far as it is whole, and one that is
// none costs an identify. Both are reported.
func TestTornIsReported(t *testing.T) {
	st := newStage(t, 200)
	h := st.host()
	b := st.bot(h, 513)
	file := filepath.Join(st.dir, "shard-0")
	size := func() int64 {
		info, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for range 3 { // commits
		before := size()
		b.acknowledges(func() bool { return size() > before })
	}
	h.ends(b)
	cut := func(keep int64) {
		t.Helper()
		info, err := os.Stat(file)
		if err == nil {
			err = os.Truncate(file, info.Size()*keep/100)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	next := func(want string) *running {
		t.Helper()
		h := st.host()
		m := st.troubled(messages.TroubleTorn)
		if m.Shard == nil || !regexp.MustCompile(want).MatchString(m.Err) {
			t.Errorf("reported as %+v", m)
		}
		b := st.bot(h, 513)
		b.reads(1)
		h.ends(b)
		return h
	}
	info, err := os.Stat(file)
	if err == nil {
		err = os.Truncate(file, info.Size()-1) // the last commit
	}
	if err != nil {
		t.Fatal(err)
	}
	next(`^\d+ bytes of its snapshot are damaged: the shard goes on from event \d+, and Discord repeats what came after$`)
	if score := st.discord.Score(); score.Identifies != 1 || score.Resumes != 1 {
		t.Errorf("%d identifies, %d resumes after a torn commit", score.Identifies, score.Resumes)
	}
	cut(1)
	next(`^\d+ bytes of its snapshot are damaged: the shard identifies again$`)
	if score := st.discord.Score(); score.Identifies != 2 || score.Violations > 0 {
		t.Errorf("%d identifies, %d violations after a snapshot was lost", score.Identifies, score.Violations)
	}
}

// TestSkippedIsReported: an event after which three connections ended is not sent again.
func TestSkippedIsReported(t *testing.T) {
	st := newStage(t, 20)
	h := st.host()
	var m messages.ChildTrouble
	for range 20 {
		b := st.bot(h, 513)
		b.until(func() bool { return len(b.numbers) > 0 || len(st.trouble) > 0 })
		b.dies(h)
		if len(st.trouble) > 0 {
			m = st.troubled(messages.TroubleSkipped)
			break
		}
	}
	if !regexp.MustCompile(`^MESSAGE_CREATE \(sequence \d+\) is not sent to the bot again: three connections ended after it$`).MatchString(m.Err) || m.Events != 1 {
		t.Errorf("reported as %+v", m)
	}
	h.kill()
	<-h.done
	_ = h.Close()
}
