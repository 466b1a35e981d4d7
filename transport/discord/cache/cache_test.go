package cache_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/discluster/control/transport/discord/cache"
)

// stories is the number of random stories; SIM_SEED reads one of them.
const stories = 1000

// TestLateReader reads stories twice: a reader that was there from the beginning, and one that
// began at a random cut, from the cache's READY and guilds. In the end they must know the same.
func TestLateReader(t *testing.T) {
	seeds := list(stories, func(i int) uint64 { return uint64(i) })
	if one, err := strconv.ParseUint(os.Getenv("SIM_SEED"), 10, 64); err == nil {
		seeds = []uint64{one}
	}
	back := cache.Limits(32, 4<<20, 64, 1000)
	defer back()
	for _, seed := range seeds {
		if back(); seed%2 == 1 { // guilds are opened and closed, and what is kept beside them is full
			cache.Limits(1, 100, 2, 2)
		}
		s := story{rand.New(rand.NewPCG(seed, 0))}
		events := []event{s.ready()}
		for i := range 2 + s.IntN(2) {
			events = append(events, s.guildCreate(fmt.Sprint("20", i)))
		}
		for range 60 {
			events = append(events, s.next())
		}
		cut := 1 + s.IntN(len(events))
		if differ(events, cut) == "" {
			continue
		}
		for i := len(events) - 1; i > 0; i-- { // leave out what does not matter
			fewer, at := slices.Delete(slices.Clone(events), i, i+1), cut
			if i < cut {
				at--
			}
			if differ(fewer, at) != "" {
				events, cut = fewer, at
			}
		}
		var b strings.Builder
		for i, e := range events {
			if i == cut {
				b.WriteString("--- cut\n")
			}
			fmt.Fprintf(&b, "%s %s\n", e.kind, e.d)
		}
		t.Fatalf("SIM_SEED=%d:\n%s\n%s", seed, b.String(), differ(events, cut))
	}
}

// differ returns what the two readers do not agree on.
func differ(events []event, cut int) string {
	var early, late, last reader
	c := &cache.Cache{}
	for i, e := range events {
		if i == cut {
			c = loaded(c)
			late.begin(c)
			// What no session is given; a bot learns of it when it begins after the thread is back.
			late.archived = maps.Clone(early.archived)
		}
		early.read(e)
		if i >= cut {
			late.read(e)
		}
		c.Apply(e.kind, cache.Essence(e.kind, []byte(e.d)))
	}
	if cut == len(events) {
		late.begin(c)
	}
	last.begin(c)
	truth := early.truth()
	return unlike(truth, late.truth()) + unlike(truth, last.truth())
}

// unlike returns where a reader's knowledge is not the truth.
func unlike(truth, known string) string {
	a, b := strings.Split(truth, "\n"), strings.Split(known, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			from := max(0, i-12)
			return fmt.Sprintf("truth:\n%s\nlate reader:\n%s", strings.Join(a[from:min(len(a), i+6)], "\n"), strings.Join(b[from:min(len(b), i+6)], "\n"))
		}
	}
	if len(a) != len(b) {
		return "one knows more than the other"
	}
	return ""
}

// loaded returns a cache that was saved and loaded.
func loaded(c *cache.Cache) *cache.Cache {
	var other cache.Cache
	c.Save(func(kind string, d []byte) {
		if !other.Apply(kind, bytes.Clone(d)) {
			panic("cannot load " + kind)
		}
	})
	return &other
}

// begin reads what the cache has for a new session.
func (r *reader) begin(c *cache.Cache) {
	r.read(event{"READY", string(c.Ready("local", "ws://here"))})
	for _, id := range c.Guilds() {
		kind, d := c.Guild(id)
		r.read(event{kind, string(d)})
	}
}

// TestReady shows what is replaced in READY, and that all else stays.
func TestReady(t *testing.T) {
	var c cache.Cache
	c.Apply("READY", []byte(`{"v":10,"user":{"id":"7","new":[1]},"guilds":[{"id":"1","unavailable":true},{"id":"2","unavailable":true}],"session_id":"a","_trace":["x"],"resume_gateway_url":"wss://discord"}`))
	c.Apply("GUILD_DELETE", []byte(`{"id":"1"}`))
	c.Apply("GUILD_CREATE", []byte(`{"id":"3","presences":[{"user":{"id":"7"}}],"members":[{"user":{"id":"7","username":"o"}},{"user":{"id":"8"}}],"voice_states":[]}`))
	c.Apply("USER_UPDATE", []byte(`{"id":"7","username":"n"}`))
	c.Apply("GUILD_DELETE", []byte(`{"id":"3","unavailable":tru`)) // not JSON
	want(t, "ready", string(c.Ready("local", "ws://h/p")), `{"v":10,"user":{"id":"7","new":[1],"username":"n"},"guilds":[{"id":"2","unavailable":true},{"id":"3","unavailable":true}],"session_id":"local","_trace":["x"],"resume_gateway_url":"ws://h/p","private_channels":[]}`)
	want(t, "guilds", c.Guilds(), []uint64{3})
	want(t, "pending", []bool{c.Pending(1), c.Pending(2), c.Pending(3)}, []bool{false, true, false})
	kind, d := c.Guild(3)
	want(t, "guild", kind+string(d), `GUILD_CREATE{"id":"3","presences":[],"members":[{"user":{"id":"7","username":"n"}}],"voice_states":[],"unavailable":false}`)
	c.Apply("GUILD_DELETE", []byte(`{"id":"2","unavailable":true}`))
	kind, d = c.Guild(2)
	want(t, "guild", kind+string(d), `GUILD_DELETE{"id":"2","unavailable":true}`)
	want(t, "guilds", c.Guilds(), []uint64{2, 3})
}

// TestArchived: the bot is a member of a thread that comes back from the archive, if that is one of
// the newest, and of a guild that it has not left.
func TestArchived(t *testing.T) {
	var c cache.Cache
	c.Apply("READY", []byte(`{"user":{"id":"7"},"guilds":[]}`))
	c.Apply("GUILD_CREATE", []byte(`{"id":"1","threads":[]}`))
	archived := func(thread int, is bool) {
		c.Apply("THREAD_UPDATE", fmt.Appendf(nil, `{"id":"%d","guild_id":"1","thread_metadata":{"archived":%t}}`, thread, is))
	}
	const n, most = 3000, 2000
	for thread := 1; thread <= n; thread++ {
		c.Apply("THREAD_CREATE", fmt.Appendf(nil, `{"id":"%d","guild_id":"1","member":{"flags":1}}`, thread))
		archived(thread, true)
	}
	kept := func(c *cache.Cache) (n int) {
		c.Save(func(kind string, _ []byte) {
			if kind == "archived thread" {
				n++
			}
		})
		return n
	}
	want(t, "threads that are kept", []int{kept(&c), kept(loaded(&c))}, []int{most, most})
	archived(n-most, false)
	archived(n, false)
	_, d := c.Guild(1)
	want(t, "guild", string(d), `{"id":"1","threads":[{"id":"1000","guild_id":"1","thread_metadata":{"archived":false}},{"id":"3000","guild_id":"1","thread_metadata":{"archived":false},"member":{"flags":1}}],"presences":[],"unavailable":false}`)
	c.Apply("GUILD_DELETE", []byte(`{"id":"1","unavailable":true}`))
	want(t, "threads of an unavailable guild", kept(&c), most-1)
	c.Apply("GUILD_DELETE", []byte(`{"id":"1"}`))
	want(t, "threads of a guild that was left", kept(&c), 0)
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// TestClosed: a guild that was compressed among many others is the same when it is needed again.
func TestClosed(t *testing.T) {
	var c cache.Cache
	c.Apply("READY", []byte(`{"user":{"id":"7"},"guilds":[{"id":"999","unavailable":true}]}`))
	const n = 200
	for i := 1; i <= n; i++ {
		c.Apply("GUILD_CREATE", guild(i))
	}
	before := c.Size()
	if limit := n * 10 << 10; before > limit {
		t.Errorf("%d guilds of %d bytes take %d, want %d at most", n, len(guild(1)), before, limit)
	}
	for i := 1; i <= n; i++ {
		c.Apply("MESSAGE_CREATE", fmt.Appendf(nil, `{"id":"9000","guild_id":"%d","channel_id":"%d"}`, i, i*1000))
		c.Apply("MESSAGE_CREATE", fmt.Appendf(nil, `{"id":"9000","guild_id":"%d","channel_id":"%d"}`, i, i*1000+999))
		if i%2 == 0 { // the others stay closed
			c.Apply("CHANNEL_UPDATE", fmt.Appendf(nil, `{"id":"%d","guild_id":"%d","name":"new"}`, i*1000+1, i))
		}
	}
	same := func() {
		t.Helper()
		other := loaded(&c)
		want(t, "guilds that are loaded", other.Guilds(), c.Guilds())
		for _, id := range c.Guilds() {
			_, got := c.Guild(id)
			if _, d := other.Guild(id); !bytes.Equal(got, d) {
				t.Fatalf("guild %d was %.300s\nand is loaded as %.300s", id, got, d)
			}
		}
	}
	same()
	c.Apply("USER_UPDATE", []byte(`{"id":"7","username":"new"}`)) // of which the closed ones hear later
	same()
	for i := 1; i <= n; i++ {
		_, got := c.Guild(uint64(i))
		var g struct {
			Name     string
			Channels []struct {
				ID   string
				Name string
				Last string `json:"last_message_id"`
			}
			Threads []struct {
				Messages int `json:"message_count"`
			}
		}
		if err := json.Unmarshal(got, &g); err != nil {
			t.Fatal(err)
		}
		if g.Channels[0].Last != "9000" || g.Threads[0].Messages != 2 || (g.Channels[1].Name == "new") != (i%2 == 0) || len(g.Channels) != 100 || g.Name != fmt.Sprint("guild ", i) {
			t.Fatalf("guild %d is %.300s", i, got)
		}
	}
}

// guild is a guild of 25 KB, with names that differ as they do at Discord.
func guild(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	b := fmt.Appendf(nil, `{"id":"%d","name":"guild %d","members":[{"user":{"id":"7","username":"old"}}],"voice_states":[],"threads":[{"id":"%d","message_count":1}],"channels":[`, n, n, n*1000+999)
	for i := range 100 {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":"%d","type":0,"name":"%x","position":%d,"parent_id":"%d","topic":null,"nsfw":false,"rate_limit_per_user":0,"last_message_id":"%d","last_pin_timestamp":null,"permission_overwrites":[],"flags":0}`,
			n*1000+i, r.Uint64(), i, r.Uint64()>>4, i)
	}
	return append(b, `]}`...)
}

func TestEssence(t *testing.T) {
	want(t, "a message", string(cache.Essence("MESSAGE_CREATE", []byte(`{"id":"1","content":"x","guild_id":"2","channel_id":"3"}`))), `{"id":"1","guild_id":"2","channel_id":"3"}`)
	want(t, "another event", string(cache.Essence("X", []byte(`{"id":"1","content":"x"}`))), `{"id":"1","content":"x"}`)
}

// FuzzApply: whatever comes, nothing panics, and what the cache makes of it is JSON.
func FuzzApply(f *testing.F) {
	s := story{rand.New(rand.NewPCG(1, 2))}
	for range 300 {
		e := s.next()
		f.Add(e.kind, []byte(e.d))
	}
	f.Add("posts", []byte(`{"guild":200,"channel":400,"last":9,"written":1}`))
	f.Add("packed guild", []byte("\x00\x00\x00\x00\x00\x00\x00\xc8\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, kind string, d []byte) {
		var c cache.Cache
		for _, e := range []event{s.ready(), {"GUILD_CREATE", `{"id":"200","channels":[{"id":"300"}],"threads":[{"id":"400"}],"members":[],"voice_states":[]}`}} {
			c.Apply(e.kind, []byte(e.d))
		}
		c.Apply(kind, d)
		if !c.Begun() {
			return
		}
		if text := c.Ready("s", "u"); !json.Valid(text) {
			t.Fatalf("READY is %q", text)
		}
		for _, id := range c.Guilds() {
			if _, text := c.Guild(id); !json.Valid(text) {
				t.Fatalf("guild %d is %q", id, text)
			}
		}
	})
}

// BenchmarkMessage is the event of which there are most; 0 allocations.
func BenchmarkMessage(b *testing.B) {
	var c cache.Cache
	c.Apply("READY", []byte(`{"user":{"id":"7"},"guilds":[]}`))
	c.Apply("GUILD_CREATE", guild(1))
	d := fmt.Appendf(nil, `{"id":"9000","channel_id":"1000","content":%q,"guild_id":"1"}`, strings.Repeat("x", 2000))
	b.ReportAllocs()
	for b.Loop() {
		c.Apply("MESSAGE_CREATE", d)
	}
}

// BenchmarkGuild is a closed guild that is given to a bot: as it is, and with a message to add.
func BenchmarkGuild(b *testing.B) {
	b.Run("quiet", func(b *testing.B) { benchmarkGuild(b, func(*cache.Cache) {}) })
	b.Run("message", func(b *testing.B) {
		benchmarkGuild(b, func(c *cache.Cache) {
			c.Apply("MESSAGE_CREATE", []byte(`{"id":"9000","channel_id":"1000","guild_id":"1"}`))
		})
	})
}

func benchmarkGuild(b *testing.B, then func(*cache.Cache)) {
	var c cache.Cache
	c.Apply("READY", []byte(`{"user":{"id":"7"},"guilds":[]}`))
	for i := 1; i <= 100; i++ {
		c.Apply("GUILD_CREATE", guild(i))
	}
	then(&c)
	b.ReportAllocs()
	for b.Loop() {
		c.Guild(1)
	}
}
