package host

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/client"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/discord/server"
)

const patience = 20 * time.Second

// sdk takes the place of CONTROL: it grants every permit, and keeps the session for the next host.
type sdk struct {
	mu      sync.Mutex
	session *messages.Session
	ready   chan struct{}
	latency chan time.Duration // the first that is known
	events  chan int64         // as they come
	waiting int                // as reported last
	oldest  time.Duration
	deaf    time.Duration
	memory  messages.HostMemory
}

func newSDK() *sdk {
	return &sdk{ready: make(chan struct{}, 100), latency: make(chan time.Duration, 1), events: make(chan int64, 1)}
}

type free struct{}

func (free) Overdue() bool { return false }
func (free) Sent()         {}
func (free) Unused()       {}

func (s *sdk) ID() int { return 0 }
func (s *sdk) Permit(context.Context, messages.IdentifyCause) (client.Permit, error) {
	return free{}, nil
}
func (s *sdk) Figures(latency time.Duration, _ int, events int64) {
	select {
	case s.events <- events:
	default:
	}
	if latency == 0 {
		return
	}
	select {
	case s.latency <- latency:
	default:
	}
}
func (s *sdk) Waiting(events int, oldest, deaf time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting, s.oldest, s.deaf = events, oldest, deaf
}
func (s *sdk) Memory(m messages.HostMemory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory = m
}
func (s *sdk) Reconnect() <-chan struct{} { return nil }
func (s *sdk) State(state messages.ShardState, _ int) {
	if state == messages.ShardReady {
		s.ready <- struct{}{}
	}
}

func (s *sdk) Session() *messages.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil || s.session.Intents != 0 { // CONTROL offers those of the declared intents: none
		return nil
	}
	return s.session
}

func (s *sdk) SetSession(session messages.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.session; old == nil || old.SessionID != session.SessionID || old.Seq <= session.Seq { // as CONTROL
		s.session = &session
	}
}

func (s *sdk) SessionGone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = nil
}

// stage is a Discord, and the folder of a host.
type stage struct {
	t       *testing.T
	discord *server.Server
	api     string
	dir     string
	sdk     *sdk
	ping    time.Duration // Config.ping; Config.silent is the double
	trouble chan messages.ChildTrouble
}

func newStage(t *testing.T, events float64) *stage {
	st := &stage{t: t, dir: t.TempDir(), sdk: newSDK(), trouble: make(chan messages.ChildTrouble, 100)}
	st.discord = server.New(server.Config{EventsPerSecond: events, Rules: rules.Config{
		Token: "good", Guilds: 3, IdentifyEvery: time.Millisecond, HeartbeatInterval: time.Second,
	}})
	var err error
	if st.api, err = st.discord.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.discord.Close() })
	return st
}

// running is a host, and how it ends.
type running struct {
	*Host
	kill context.CancelFunc
	done chan error
}

func (st *stage) host() *running {
	st.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		st.t.Fatal(err)
	}
	h, err := New(l, Config{
		Token: "good", Shards: []int{0}, ShardCount: 1, API: st.api, Dir: st.dir, Log: slog.New(slog.DiscardHandler),
		ping: st.ping, silent: 2 * st.ping, Trouble: func(m messages.ChildTrouble) { st.trouble <- m },
	})
	if err != nil {
		st.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(st.t.Context())
	r := &running{Host: h, kill: cancel, done: make(chan error, 1)}
	go func() { r.done <- h.Serve(ctx, st.sdk) }()
	return r
}

// bot is a process of the bot: it counts the numbered messages.
type bot struct {
	t       *testing.T
	ws      *websocket.Conn
	guilds  []string
	numbers []int
	seq     int64
}

func (st *stage) bot(h *running, intents int) *bot {
	st.t.Helper()
	h.Begun()
	h.BotBegan()
	ws, _, err := websocket.DefaultDialer.Dial(h.URL()+"?v=10&encoding=json", nil)
	if err != nil {
		st.t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	b := &bot{t: st.t, ws: ws}
	b.send(`{"op":2,"d":{"token":"good","intents":%d,"presence":{"status":"idle"}}}`, intents)
	return b
}

func (b *bot) send(format string, args ...any) {
	b.t.Helper()
	if err := b.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		b.t.Fatal(err)
	}
}

// until reads frames until stop returns true.
func (b *bot) until(stop func() bool) {
	b.t.Helper()
	for !stop() {
		if err := b.frame(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// frame reads one frame.
func (b *bot) frame() error {
	var f struct {
		Op   int
		T    string
		S    int64
		Data struct {
			ID      string
			Content string
		} `json:"d"`
	}
	_, text, err := b.ws.ReadMessage()
	if err != nil {
		return err
	}
	_ = json.Unmarshal(text, &f) // "d" may be another type
	if f.Op == 0 {
		b.seq = f.S
	}
	switch {
	case f.Op == 1:
		b.send(`{"op":1,"d":%d}`, b.seq)
	case f.T == "GUILD_CREATE":
		b.guilds = append(b.guilds, f.Data.ID)
	case f.T == "MESSAGE_CREATE":
		n, err := strconv.Atoi(f.Data.Content)
		if err != nil {
			b.t.Fatal(err)
		}
		b.numbers = append(b.numbers, n)
	}
	return nil
}

// reads lets the bot read n numbered messages.
func (b *bot) reads(n int) { b.t.Helper(); b.until(func() bool { return len(b.numbers) >= n }) }

// dies ends the bot without a close frame.
func (b *bot) dies(h *running) {
	_ = b.ws.NetConn().Close()
	h.BotEnded(false)
}

// TestLives: bots die, the host is replaced, and dies: Discord sees one IDENTIFY, and the bots
// together every numbered message, in order.
func TestLives(t *testing.T) {
	st := newStage(t, 200)
	h := st.host()
	var seen [][]int
	for range 3 {
		b := st.bot(h, 513)
		b.reads(20)
		if slices.Sort(b.guilds); len(b.guilds) != 3 {
			t.Errorf("a bot has guilds %v", b.guilds)
		}
		b.send(`{"op":1,"d":%d}`, b.seq)
		b.reads(30)
		b.dies(h)
		seen = append(seen, b.numbers)
	}
	// A bot that is stopped in order leaves nothing to be sent twice.
	b := st.bot(h, 513)
	b.reads(20)
	go func() {
		h.Quiet(st.t.Context())
		_ = b.ws.NetConn().SetReadDeadline(time.Unix(1, 0)) // no more comes
	}()
	for b.frame() == nil {
	}
	h.BotEnded(true)
	_ = b.ws.Close()
	b2 := st.bot(h, 513)
	b2.reads(20)
	if b2.numbers[0] != b.numbers[len(b.numbers)-1]+1 {
		t.Errorf("after %d came %d", b.numbers[len(b.numbers)-1], b2.numbers[0])
	}
	if !h.Settled() {
		t.Error("a bot that reads events is not settled")
	}
	b2.dies(h)
	seen = append(seen, b.numbers, b2.numbers)

	// The host stops in order, then is followed by another.
	h.Stop(Stop{Deadline: time.Now().Add(time.Second)})
	if err := <-h.done; err != nil {
		t.Error(err)
	}
	_ = h.Close()
	h = st.host()
	b = st.bot(h, 513)
	b.reads(30)
	b.dies(h)
	seen = append(seen, b.numbers)
	// It dies: what it has committed is at most a second old.
	h.kill()
	<-h.done
	h = st.host()
	b = st.bot(h, 513)
	b.reads(30)
	seen = append(seen, b.numbers)
	next := 1
	for i, numbers := range seen {
		if numbers[0] > next {
			t.Errorf("process %d begins with %d, the one before ended with %d", i, numbers[0], next-1)
		}
		for n := 1; n < len(numbers); n++ {
			if numbers[n] != numbers[n-1]+1 {
				t.Errorf("process %d read %v", i, numbers)
			}
		}
		next = max(next, numbers[len(numbers)-1]+1)
	}
	if score := st.discord.Score(); score.Identifies != 1 || score.Resumes < 2 {
		t.Errorf("Discord saw %d IDENTIFYs and %d RESUMEs", score.Identifies, score.Resumes)
	}
	b.dies(h)
	h.kill()
	<-h.done
	_ = h.Close()
}

// TestIntents: other intents are another session, with the bot's presence.
func TestIntents(t *testing.T) {
	st := newStage(t, 200)
	h := st.host()
	b := st.bot(h, 513)
	b.reads(3)
	b.dies(h)
	b = st.bot(h, 1)
	b.reads(3)
	if score := st.discord.Score(); score.Identifies != 2 {
		t.Errorf("Discord saw %d IDENTIFYs", score.Identifies)
	}
	if st.sdk.Session() == nil {
		t.Error("no session is offered to the next host")
	}
	b.dies(h)
	h.kill()
	<-h.done
	_ = h.Close()
}

// TestLatency: the latency to Discord is reported where no event comes.
func TestLatency(t *testing.T) {
	st := newStage(t, 0)
	h := st.host()
	b := st.bot(h, 513)
	select {
	case <-st.sdk.latency:
	case <-time.After(patience):
		t.Error("no latency is reported")
	}
	b.dies(h)
	h.kill()
	<-h.done
	_ = h.Close()
}

// TestWithoutSnapshot: a session without what the bot must be given is of no use.
func TestWithoutSnapshot(t *testing.T) {
	st := newStage(t, 200)
	st.sdk.SetSession(messages.Session{SessionID: "old", Seq: 7, ShardCount: 1})
	h := st.host()
	b := st.bot(h, 513)
	b.reads(3)
	if s := st.sdk.Session(); s.SessionID == "old" {
		t.Error("the old session is kept")
	}
	b.dies(h)
	h.kill()
	<-h.done
	_ = h.Close()
	if files, err := filepath.Glob(st.dir + "/*"); err != nil || len(files) != 1 {
		t.Errorf("files %v (%v)", files, err)
	}
}

// TestHung: silence of a process counts, but not our own sleep.
func TestHung(t *testing.T) {
	st := newStage(t, 200)
	h := st.host()
	b := st.bot(h, 513)
	b.reads(1)
	now := time.Now()
	for i := range 30 { // the bot reads nothing, so it answers no ping
		now = now.Add(time.Second)
		if hung, want := h.Hung(now), i >= 9; hung != want {
			t.Errorf("after %d s hung: %v", i+1, hung)
			break
		}
	}
	if h.Hung(now.Add(time.Minute)) {
		t.Error("hung after a sleep of our own")
	}
	b.dies(h)
	h.kill()
	<-h.done
	_ = h.Close()
}
