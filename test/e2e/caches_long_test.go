//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/cache"
	"github.com/discluster/control/transport/discord/local"
	"github.com/discluster/control/transport/discord/snapshot"
)

const (
	stories = 1000 // SIM_N is another number, SIM_SEED reads one of them
	atOnce  = 16   // discord.js waits half a second before it resumes

	reportWithin = 30 * time.Second // a story takes a fraction of a second
)

// Two clients of an unmodified library read the same random story from the gateway of a host. One
// was there from the beginning; the other began at a random cut, from the host's cache, after the
// death of a bot or of a host. In the end both must have the same in their caches.
func TestCaches(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*testing.T) []string{
		"discord.js": func(t *testing.T) []string { return []string{node(t), "node/caches.mjs"} },
		"discord.py": func(t *testing.T) []string { return []string{python(t), "python/caches.py"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seeds := make(chan uint64, stories)
			if one, err := strconv.ParseUint(os.Getenv("SIM_SEED"), 10, 64); err == nil {
				seeds <- one
			} else {
				n, err := strconv.Atoi(os.Getenv("SIM_N"))
				if err != nil {
					n = stories
				}
				for seed := range n {
					seeds <- uint64(seed)
				}
			}
			close(seeds)
			c := startClients(t, 2*len(seeds)+2*shrinks, command(t)...)
			var all sync.WaitGroup
			for range atOnce {
				all.Go(func() {
					for seed := range seeds {
						if t.Failed() {
							return
						}
						s := newStory(seed)
						diff, err := c.differ(s)
						if err == nil && diff == "" {
							continue
						}
						t.Errorf("SIM_SEED=%d go test -tags e2e ./test/e2e -count=1 -run '^TestCaches$/^%s$'\n%s", seed, name, c.shrunk(s, diff, err))
					}
				})
			}
			all.Wait()
		})
	}
}

// story is what both clients are sent, and what happens to them.
type story struct {
	seed               uint64
	members, presences bool // the intents
	events             []dispatch
	opening            int  // events until every guild is there
	acked              int  // events that are acknowledged before the cut: the late one begins with these
	cut                int  // events that came before the cut
	host               bool // the host died, too
	resumes            int  // events after which the early one loses its connection; 0: never
}

func newStory(seed uint64) story {
	r := rand.New(rand.NewPCG(seed, 0))
	s := story{seed: seed, members: r.IntN(2) == 0, presences: r.IntN(2) == 0, host: r.IntN(2) == 0}
	w := newWorld(r, s.members, s.presences)
	w.begin(session)
	s.opening = len(w.events)
	steps := 40
	cut := r.IntN(steps)
	for i := range steps {
		if i == cut {
			s.cut = len(w.events)
			w.cut()
		}
		w.step()
	}
	s.events = w.events
	s.acked = 1 + r.IntN(s.cut)
	if r.IntN(2) == 0 {
		s.acked = s.cut - r.IntN(min(s.cut, 5))
	}
	between := func(of [2]int) bool { return of[0] <= s.acked && s.acked < of[1] }
	for slices.ContainsFunc(w.back, between) {
		s.acked--
	}
	if r.IntN(3) == 0 {
		s.resumes = s.opening + r.IntN(len(s.events)-s.opening+1)
	}
	return s
}

// without returns the story without an event; false: it does not begin then.
func (s story) without(i int) (story, bool) {
	if i < s.opening {
		return s, false
	}
	s.events = append(append([]dispatch{}, s.events[:i]...), s.events[i+1:]...)
	for _, at := range []*int{&s.acked, &s.cut, &s.resumes} {
		if *at > i {
			*at--
		}
	}
	return s, true
}

// session stands for Discord's session in a story.
const session = "SESSION"

// clients are a process with clients of one library, and the gateway that they use.
type clients struct {
	t      *testing.T
	server *local.Server
	shards int
	out    io.Writer

	mu      sync.Mutex
	next    int // shard
	reports map[string]chan report
	intents map[int]chan int64 // what the client of a shard identifies with
}

// report is a line of the process.
type report struct {
	Client string
	Ready  bool
	State  json.RawMessage
	Error  string
}

func startClients(t *testing.T, shards int, command ...string) *clients {
	t.Helper()
	c := &clients{t: t, shards: shards, reports: map[string]chan report{}, intents: map[int]chan int64{}}
	api, err := url.Parse(startDiscord(t, 1, 1).base)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := local.ServerConfig{
		Token: messages.Secret(token), ShardCount: shards, API: api, Each: local.Config{Ring: 1 << 20, Probe: time.Minute},
		Effect: func(shard int, e local.Effect) {
			if e, ok := e.(local.Identify); ok {
				c.identified(shard) <- e.Intents
			}
		},
	}
	for shard := range shards {
		cfg.Shards = append(cfg.Shards, shard)
	}
	if c.server, err = local.Serve(l, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.server.Close() })
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), homeVariable + "=" + home, "DISCORD_TOKEN=" + token, "DISCORD_API=http://" + l.Addr().String()}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read(in)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
	})
	return c
}

// read takes the reports of the process until it ends. One of no client concerns all.
func (c *clients) read(in io.Reader) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			r = report{Error: lines.Text()}
		}
		c.mu.Lock()
		for name, to := range c.reports {
			if name == r.Client || r.Client == "" {
				select {
				case to <- r:
				default: // it has had enough
				}
			}
		}
		c.mu.Unlock()
	}
}

// identified is where the intents of a shard's client come.
func (c *clients) identified(shard int) chan int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.intents[shard] == nil {
		c.intents[shard] = make(chan int64, 8)
	}
	return c.intents[shard]
}

// reader is one client, and its shard.
type reader struct {
	*clients
	shard int
	seq   int64 // of Discord's last event
	from  chan report
}

// reader returns the next client, which is not started.
func (c *clients) reader() *reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	one := &reader{clients: c, shard: c.next - 1, from: make(chan report, 8)}
	c.reports[one.name()] = one.from
	return one
}

func (r *reader) name() string { return strconv.Itoa(r.shard) }

func (r *reader) session() string { return fmt.Sprint("s", r.shard) }

func (r *reader) start(s story) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return json.NewEncoder(r.out).Encode(object{"client": r.name(), "shard": []int{r.shard, r.shards}, "members": s.members, "presences": s.presences})
}

// end forgets a client.
func (r *reader) end() {
	r.server.With(r.shard, func(sh *local.Shard, _ time.Time) { sh.Lost() })
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reports, r.name())
	delete(r.intents, r.shard)
}

// report waits for the next report.
func (r *reader) report() (report, error) {
	select {
	case got := <-r.from:
		if got.Error != "" {
			return got, errors.New(got.Error)
		}
		return got, nil
	case <-time.After(reportWithin):
		return report{}, fmt.Errorf("no report within %v", reportWithin)
	}
}

// data returns "d" of an event for this client.
func (r *reader) data(e dispatch) []byte {
	if e.kind == "READY" {
		return []byte(strings.Replace(e.d, session, r.session(), 1))
	}
	return []byte(e.d)
}

// dispatch is Discord, which sends an event.
func (r *reader) dispatch(e dispatch) {
	r.seq++
	r.server.With(r.shard, func(sh *local.Shard, now time.Time) { sh.Dispatch(now, r.seq, e.kind, r.data(e)) })
}

// state sends the last event and returns the client's caches.
func (r *reader) state() ([]byte, error) {
	r.dispatch(dispatch{"END", "{}"})
	got, err := r.report()
	return got.State, err
}

// early is a client that is there from the beginning.
func (r *reader) early(s story, intents chan<- int64) ([]byte, error) {
	defer r.end()
	defer close(intents)
	if err := r.start(s); err != nil {
		return nil, err
	}
	select {
	case i := <-r.identified(r.shard):
		intents <- i
	case got := <-r.from:
		return nil, errors.New(got.Error)
	case <-time.After(reportWithin):
		return nil, errors.New("it does not identify")
	}
	stolen := noSteal
	for i, e := range s.events {
		r.dispatch(e)
		if i+1 == s.opening {
			if _, err := r.report(); err != nil {
				return nil, err
			}
		}
		if i+1 == s.resumes {
			stolen = r.steal()
		}
	}
	select {
	case <-stolen:
	case <-time.After(reportWithin):
		return nil, errors.New("it does not resume")
	}
	return r.state()
}

// steal resumes a client's session, which costs the client its connection. The channel is closed
// once the client has resumed it.
func (r *reader) steal() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r.t.Context().Err() == nil && !websocket.IsCloseError(r.hold(), 4000) { // the gateway may be short of connections
		}
	}()
	return done
}

// hold has the client's session until its connection ends, and returns the reason.
func (r *reader) hold() error {
	ws, _, err := websocket.DefaultDialer.Dial(r.server.URL(), nil)
	if err != nil {
		return err
	}
	defer ws.Close()
	for {
		var p struct{ Op int }
		if err := ws.ReadJSON(&p); err != nil {
			return err
		}
		if p.Op != 10 && p.Op != 9 { // HELLO; or the client has just acknowledged more
			continue
		}
		var acked int64
		r.server.With(r.shard, func(sh *local.Shard, _ time.Time) { _, acked, _ = sh.Session() })
		if err := ws.WriteJSON(object{"op": 6, "d": object{"token": token, "session_id": r.session() + "-1-1", "seq": acked}}); err != nil {
			return err
		}
	}
}

// noSteal is closed.
var noSteal = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// late is a client that begins at the cut.
func (r *reader) late(s story, intents <-chan int64) ([]byte, error) {
	defer r.end()
	i, ok := <-intents
	if !ok {
		return nil, nil // the early one has failed
	}
	if s.host {
		if err := r.restore(s, i); err != nil {
			return nil, err
		}
	} else {
		r.predecessor(s, i)
	}
	r.server.With(r.shard, func(sh *local.Shard, _ time.Time) { sh.Hold(true) }) // as the host does
	if err := r.start(s); err != nil {
		return nil, err
	}
	if _, err := r.report(); err != nil {
		return nil, err
	}
	r.server.With(r.shard, func(sh *local.Shard, _ time.Time) { sh.Hold(false) })
	for _, e := range s.events[s.cut:] {
		r.dispatch(e)
	}
	return r.state()
}

// predecessor is a bot that is sent all up to the cut, acknowledges some of it, and dies.
func (r *reader) predecessor(s story, intents int64) {
	with := func(do func(*local.Shard, time.Time)) { r.server.With(r.shard, do) }
	with(func(sh *local.Shard, now time.Time) {
		_ = sh.Identify(now, fmt.Appendf(nil, `{"intents":%d}`, intents))
	})
	for i, e := range s.events[:s.cut] {
		r.dispatch(e)
		if i+1 == s.acked {
			with(func(sh *local.Shard, now time.Time) {
				for more := true; more; {
					_, more = sh.Next(now)
				}
				sh.Heartbeat(r.seq)
			})
		}
	}
	with(func(sh *local.Shard, _ time.Time) { sh.Died(true) })
}

// restore is the next host, which has the snapshot as of the last acknowledgement; Discord replays
// the rest.
func (r *reader) restore(s story, intents int64) error {
	path := filepath.Join(r.t.TempDir(), "snapshot")
	log, _, err := snapshot.Open(path)
	if err != nil {
		return err
	}
	var known cache.Cache
	for _, e := range s.events[:s.acked] {
		if d := r.data(e); known.Apply(e.kind, d) {
			log.Event(e.kind, d)
		}
	}
	r.seq = int64(s.acked)
	if err := log.Commit(snapshot.Commit{Session: r.session(), Seq: r.seq, Intents: intents}, &known); err != nil {
		return err
	}
	log.Close()
	log, found, err := snapshot.Open(path)
	if err != nil {
		return err
	}
	log.Close()
	r.server.With(r.shard, func(sh *local.Shard, _ time.Time) {
		sh.Restore(found.Session, found.Seq, found.Intents, found.Cache)
		sh.Replays()
	})
	for _, e := range s.events[s.acked:s.cut] {
		r.dispatch(e)
	}
	r.dispatch(dispatch{"RESUMED", "{}"})
	return nil
}

// differ returns in what the caches of both clients differ.
func (c *clients) differ(s story) (string, error) {
	one, other := c.reader(), c.reader()
	intents := make(chan int64, 1)
	var late []byte
	var lateErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		late, lateErr = other.late(s, intents)
	}()
	early, err := one.early(s, intents)
	<-done
	if err = errors.Join(err, lateErr); err != nil {
		return "", err
	}
	return unlike(early, late), nil
}
