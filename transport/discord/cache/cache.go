// Package cache keeps what a gateway session has sent about the bot and its guilds, so that another
// process can be given the READY and the GUILD_CREATEs that a RESUME does not bring. It is a value:
// events go in, in order, and what a session that began now would be sent comes out.
//
// Objects stay the JSON they came as, so that unknown fields survive. Of a guild's
// members only the bot and those in voice channels are kept, and of presences none: what Discord
// sends a bot without the presences intent. Messages, bans, invites, integrations and reactions are
// no part of it. Of threads in the archive the bot's membership is kept, for when they come back.
//
//	READY            user (USER_UPDATE merged), application, and all else as received
//	GUILD_CREATE     one for each guild that is available, one event older or newer than no other
//	GUILD_DELETE     unavailable: one for each guild that Discord reported so
//
// A guild that has not changed of late is kept compressed (about 5 KB of 27).
package cache

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/discluster/control/transport/discord/splice"
)

// Limits of what is kept beside closed guilds. Tests have smaller ones.
var (
	// guilds that are kept ready to be changed, 30 KB each as a rule: opening one costs about 0.2 ms,
	// and most of a shard's events are messages, which open none
	openMax   = 32
	openBytes = 4 << 20 // of these; one may be larger
	usersMax  = 64      // Cache.users
	// channels of which messages are remembered while their guild is closed: those that it may have
	// (Discord docs, Channel), and some threads
	postsMax = 1000
)

// Cache holds READY and the guilds of one session. Its zero value is a session before READY.
type Cache struct {
	ready  splice.Object // its "d"
	self   uint64        // the bot's user id
	users  [][]byte      // USER_UPDATEs that not every guild has seen: few, if any
	guilds map[uint64]*guild
	order  []uint64 // of READY, then of joining
	opened []*guild // open ones, the longest unused first
	open   int      // bytes of these

	archived map[archivedID][]byte
}

// Apply takes the next event into account. It keeps d, which must not change after, and reports
// whether the event can have changed anything.
func (c *Cache) Apply(kind string, d []byte) bool {
	switch kind {
	case "MESSAGE_CREATE":
		return c.posted(d)
	case "MESSAGE_DELETE":
		return c.deleted(d, 1)
	case "MESSAGE_DELETE_BULK":
		n := 0
		for range splice.Items(splice.Get(d, "ids")) {
			n++
		}
		return c.deleted(d, n)
	case "PRESENCE_UPDATE":
		if splice.Get(d, "user", "username") == nil { // most have the id alone
			return false
		}
	case packedGuild:
		return c.loadGuild(d)
	case postsOf:
		return c.loadPosts(d)
	case archivedThread:
		return c.loadArchived(d)
	}
	if !json.Valid(d) { // no bot reads it either
		return false
	}
	switch kind {
	case "READY":
		c.begin(d)
		return true
	case "USER_UPDATE":
		c.userUpdate(d)
		return true
	case "GUILD_CREATE":
		return c.guildCreate(d)
	case "GUILD_DELETE":
		return c.guildDelete(d)
	}
	change := changes[kind]
	if change == nil {
		return false
	}
	id := splice.ID(splice.Get(d, "guild_id"))
	if kind == "GUILD_UPDATE" {
		id = splice.ID(splice.Get(d, "id"))
	}
	g := c.guilds[id]
	if g == nil || !g.available() {
		return false
	}
	change(c, c.opens(g), d)
	return true
}

// begin starts a session over.
func (c *Cache) begin(d []byte) {
	*c = Cache{ready: splice.Parse(d), guilds: map[uint64]*guild{}}
	c.self = splice.ID(splice.Get(c.ready.Get("user"), "id"))
	for g := range splice.Items(c.ready.Get("guilds")) {
		if id := splice.ID(splice.Get(g, "id")); id != 0 {
			c.guild(id)
		}
	}
}

// guild returns a guild, which it adds where there is none.
func (c *Cache) guild(id uint64) *guild {
	g := c.guilds[id]
	if g == nil {
		g = &guild{}
		c.guilds[id] = g
		c.order = append(c.order, id)
	}
	return g
}

func (c *Cache) userUpdate(d []byte) {
	c.ready.Set("user", splice.Merge(c.ready.Get("user"), d))
	if c.users = append(c.users, d); len(c.users) < usersMax {
		return
	}
	for _, g := range c.guilds { // about 0.4 ms each
		if g.available() {
			c.packed(g)
		}
		g.users = 0
	}
	c.users = nil
}

func (c *Cache) guildCreate(d []byte) bool {
	id := splice.ID(splice.Get(d, "id"))
	if id == 0 || c.ready == nil {
		return false
	}
	g := c.guild(id)
	c.empty(g)
	if string(splice.Get(d, "unavailable")) != "true" {
		for t := range splice.Items(splice.Get(d, "threads")) {
			delete(c.archived, archivedID{id, threads.id(t)})
		}
		g.users = len(c.users)
		g.open = parse(d)
		g.open.limit(c.self)
		if g.open.size() < len(d)/2 { // members and presences that are not kept, but share d
			g.open = parse(g.open.text())
		}
		// A join leaves it out. Without it discord.js takes the guild for unavailable.
		g.open.fields.Set("unavailable", []byte("false"))
		c.use(g)
	}
	return true
}

func (c *Cache) guildDelete(d []byte) bool {
	id := splice.ID(splice.Get(d, "id"))
	g := c.guilds[id]
	if g == nil {
		return false
	}
	c.empty(g)
	if string(splice.Get(d, "unavailable")) == "true" {
		return true
	}
	delete(c.guilds, id)
	c.forgetArchived(id)
	c.order = slices.DeleteFunc(c.order, func(o uint64) bool { return o == id })
	return true
}

// Begun reports whether there was a READY.
func (c *Cache) Begun() bool { return c.ready != nil }

// Self returns the bot's user id, 0 before READY.
func (c *Cache) Self() uint64 { return c.self }

// Ready returns the "d" of a READY for a session of that id, to be resumed at url. Every guild in
// it is unavailable, as Discord begins a session.
func (c *Cache) Ready(session, url string) []byte {
	all := []byte{'['}
	for i, id := range c.order {
		if i > 0 {
			all = append(all, ',')
		}
		all = unavailable(all, id)
	}
	o := slices.Clone(c.ready)
	o.Set("guilds", append(all, ']'))
	o.Set("session_id", strconv.AppendQuote(nil, session))
	o.Set("resume_gateway_url", strconv.AppendQuote(nil, url))
	if o.Get("private_channels") == nil {
		o.Set("private_channels", []byte("[]")) // undocumented, and eris and JDA fail without it
	}
	return o.Append(nil)
}

// Guilds returns the guilds that Discord has sent something about since READY, in order: those that
// Guild has an event for.
func (c *Cache) Guilds() []uint64 {
	return slices.DeleteFunc(slices.Clone(c.order), func(id uint64) bool { return !c.guilds[id].heard })
}

// Pending reports whether Discord has sent nothing about a guild since READY: its GUILD_CREATE, or
// GUILD_DELETE, is pending.
func (c *Cache) Pending(id uint64) bool {
	g := c.guilds[id]
	return g != nil && !g.heard
}

// Guild returns the event that brings a guild to a new session: GUILD_CREATE, or GUILD_DELETE of
// one that is unavailable or gone.
func (c *Cache) Guild(id uint64) (kind string, d []byte) {
	g := c.guilds[id]
	if g == nil || !g.available() {
		return "GUILD_DELETE", unavailable(nil, id)
	}
	return "GUILD_CREATE", c.render(g)
}

// Bytes that a guild, a channel with posts and a thread in the archive take beside their text.
const (
	guildBytes    = 200
	postBytes     = 64
	archivedBytes = 64
)

// Size returns about how many bytes the cache takes.
func (c *Cache) Size() int {
	n := c.open
	for _, u := range c.users {
		n += len(u)
	}
	for _, f := range c.ready {
		n += len(f.Key) + len(f.Value)
	}
	for _, g := range c.guilds {
		n += guildBytes + len(g.closed) + postBytes*len(g.posts)
	}
	for _, member := range c.archived {
		n += archivedBytes + len(member)
	}
	return n
}

func unavailable(b []byte, id uint64) []byte {
	b = append(b, `{"id":"`...)
	b = strconv.AppendUint(b, id, 10)
	return append(b, `","unavailable":true}`...)
}
