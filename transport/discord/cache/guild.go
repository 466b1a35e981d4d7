package cache

import (
	"slices"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/discluster/control/transport/discord/splice"
)

// guild is open, closed, or neither: unavailable.
type guild struct {
	heard  bool // of it since READY
	open   *contents
	closed []byte // zstd of the JSON of contents
	posts  map[uint64]post
	users  int // how many of Cache.users it has seen
	size   int // of open, when it was used last
}

// post sums up the messages of a channel or thread since the guild was opened last.
type post struct {
	last             uint64 // newest message; 0: none
	written, deleted int
}

func (g *guild) available() bool { return g.open != nil || g.closed != nil }

// empty makes a guild unavailable.
func (c *Cache) empty(g *guild) {
	c.unlist(g)
	*g = guild{heard: true}
}

// unlist takes a guild from the open ones.
func (c *Cache) unlist(g *guild) {
	if i := slices.Index(c.opened, g); i >= 0 {
		c.opened = slices.Delete(c.opened, i, i+1)
		c.open -= g.size
	}
}

// use notes that a guild was opened or changed, and closes those that were not for longest.
func (c *Cache) use(g *guild) {
	c.unlist(g)
	g.size = g.open.size()
	c.opened, c.open = append(c.opened, g), c.open+g.size
	for len(c.opened) > openMax || len(c.opened) > 1 && c.open > openBytes {
		old := c.opened[0]
		c.unlist(old)
		old.closed, old.open = pack(old.open.text()), nil
	}
}

// opens returns the contents of an available guild, to be changed.
func (c *Cache) opens(g *guild) *contents {
	if g.open == nil {
		g.open, g.closed = parse(unpack(g.closed)), nil
	}
	c.settle(g, g.open)
	g.posts, g.users = nil, len(c.users)
	c.use(g)
	return g.open
}

// render returns the "d" of an available guild's GUILD_CREATE. A closed one stays closed.
func (c *Cache) render(g *guild) []byte {
	if g.open != nil {
		return c.opens(g).text()
	}
	d := unpack(g.closed)
	if len(g.posts) == 0 && g.users == len(c.users) {
		return d
	}
	all := parse(d)
	c.settle(g, all)
	return all.text()
}

// settle writes what happened to a guild while it was not opened.
func (c *Cache) settle(g *guild, all *contents) {
	for _, u := range c.users[g.users:] {
		all.selfUpdate(c.self, u)
	}
	for channel, p := range g.posts {
		if i := all.find(channels, channel); i >= 0 {
			all.setLast(channels, i, p.last)
		}
		if i := all.find(threads, channel); i >= 0 {
			all.setLast(threads, i, p.last)
			all.count(i, p.written, p.deleted)
		}
	}
}

// posted notes a message that was written.
func (c *Cache) posted(d []byte) bool {
	var message, channel, guild uint64
	for k, v := range splice.Fields(d) {
		switch string(k) {
		case "id":
			message = splice.ID(v)
		case "channel_id":
			channel = splice.ID(v)
		case "guild_id":
			guild = splice.ID(v)
		}
	}
	return c.post(guild, channel, post{message, 1, 0})
}

// deleted notes messages that were deleted.
func (c *Cache) deleted(d []byte, n int) bool {
	guild, channel := splice.ID(splice.Get(d, "guild_id")), splice.ID(splice.Get(d, "channel_id"))
	return c.post(guild, channel, post{deleted: n})
}

func (c *Cache) post(guild, channel uint64, p post) bool {
	g := c.guilds[guild]
	if g == nil || !g.available() {
		return false
	}
	if g.posts == nil {
		g.posts = map[uint64]post{}
	}
	old, known := g.posts[channel]
	if !known && len(g.posts) >= postsMax {
		c.opens(g) // which forgets them
		g.posts, old = map[uint64]post{}, post{}
	}
	g.posts[channel] = post{max(old.last, p.last), old.written + p.written, old.deleted + p.deleted}
	return true
}

// setLast sets last_message_id, if the message is newer.
func (all *contents) setLast(l list, i int, message uint64) {
	item := all.at(l, i)
	if message > splice.ID(splice.Get(item.raw, "last_message_id")) {
		item.raw = splice.With(item.raw, "last_message_id", quoted(message))
	}
}

// count counts messages of a thread; total_message_sent never goes down.
func (all *contents) count(i, written, deleted int) {
	item := all.at(threads, i)
	for _, f := range []struct {
		key string
		add int
	}{{"message_count", written - deleted}, {"total_message_sent", written}} {
		if old, ok := splice.Int(splice.Get(item.raw, f.key)); ok {
			item.raw = splice.With(item.raw, f.key, number(max(old+int64(f.add), 0)))
		}
	}
}

func quoted(id uint64) []byte {
	return append(strconv.AppendUint([]byte{'"'}, id, 10), '"')
}

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// coders are shared by all caches: each would cost more than a shard's guilds.
var coders = sync.OnceValue(func() struct {
	*zstd.Encoder
	*zstd.Decoder
} {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("cache: " + err.Error()) // the options are wrong
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(guildMax))
	if err != nil {
		panic("cache: " + err.Error())
	}
	return struct {
		*zstd.Encoder
		*zstd.Decoder
	}{e, d}
})

func pack(raw []byte) []byte { return coders().EncodeAll(raw, nil) }

// unpack panics where memory is corrupt: what pack made can always be read.
func unpack(packed []byte) []byte {
	raw, err := coders().DecodeAll(packed, nil)
	if err != nil {
		panic("cache: " + err.Error())
	}
	return raw
}
