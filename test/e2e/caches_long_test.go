//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/local"
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
						if err == nil && diff == "" || t.Failed() {
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

// story holds the events that both clients are sent, and what happens to the clients.
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

// session is the id of Discord's session in a story.
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
		Effect: func(shard int, e local.Effect) error {
			if e, ok := e.(local.Identify); ok {
				c.identified(shard) <- e.Intents
			}
			return nil
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
	if err := errors.Join(err, lateErr); err != nil {
		return "", err
	}
	return unlike(early, late), nil
}
