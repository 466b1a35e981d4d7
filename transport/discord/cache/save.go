package cache

import (
	"encoding/binary"
	"encoding/json"

	"github.com/klauspost/compress/zstd"

	"github.com/discluster/control/transport/discord/splice"
)

// Events of Save that Discord has none for. Their names are no event's of Discord.
const (
	packedGuild    = "packed guild"    // its id in 8 bytes, then zstd of its GUILD_CREATE
	postsOf        = "posts"           // savedPosts as JSON
	archivedThread = "archived thread" // savedArchived as JSON
)

// savedPosts are what messages did to a channel.
type savedPosts struct {
	Guild   uint64 `json:"guild"`
	Channel uint64 `json:"channel"`
	Last    uint64 `json:"last"`
	Written int    `json:"written"`
	Deleted int    `json:"deleted"`
}

// guildMax bounds the bytes of an unpacked guild: four times what a frame of Discord may have, so
// that no events make a guild that cannot be unpacked.
const guildMax = 256 << 20

// Save calls each with events that make an empty cache this one, where they are applied in order.
// Most of it is copied as it lies: 1,000 closed guilds cost a few milliseconds.
func (c *Cache) Save(each func(kind string, d []byte)) {
	if !c.Begun() {
		return
	}
	each("READY", c.Ready(splice.String(c.ready.Get("session_id")), splice.String(c.ready.Get("resume_gateway_url"))))
	for _, id := range c.order {
		switch g := c.guilds[id]; {
		case !g.heard:
		case !g.available():
			each("GUILD_DELETE", unavailable(nil, id))
		default:
			each(packedGuild, append(binary.BigEndian.AppendUint64(nil, id), c.packed(g)...))
			for channel, p := range g.posts {
				d, _ := json.Marshal(savedPosts{id, channel, p.last, p.written, p.deleted}) // numbers alone
				each(postsOf, d)
			}
		}
	}
	for id, member := range c.archived {
		d, _ := json.Marshal(savedArchived{id.guild, id.thread, member}) // what came as JSON
		each(archivedThread, d)
	}
}

// Essence returns what Apply reads of an event: the same "d", or a shorter one.
func Essence(kind string, d []byte) []byte {
	if kind != "MESSAGE_CREATE" && kind != "MESSAGE_DELETE" {
		return d
	}
	var o splice.Object
	for k, v := range splice.Fields(d) {
		switch key := string(k); key {
		case "id", "channel_id", "guild_id":
			o = append(o, splice.Field{Key: key, Value: v})
		}
	}
	return o.Append(nil)
}

// packed returns an available guild, without its posts.
func (c *Cache) packed(g *guild) []byte {
	switch {
	case g.open != nil:
		return pack(c.opens(g).text())
	case g.users < len(c.users):
		d := c.render(g)
		g.closed, g.posts, g.users = pack(d), nil, len(c.users)
	}
	return g.closed
}

func (c *Cache) loadGuild(d []byte) bool {
	if len(d) < 8 || c.ready == nil {
		return false
	}
	id, packed := binary.BigEndian.Uint64(d), d[8:]
	var head zstd.Header
	if head.Decode(packed) != nil || head.FrameContentSize > guildMax {
		return false
	}
	raw, err := coders().DecodeAll(packed, nil)
	if err != nil || !json.Valid(raw) || id == 0 || splice.ID(splice.Get(raw, "id")) != id {
		return false
	}
	g := c.guild(id)
	c.empty(g)
	g.closed = packed
	return true
}

func (c *Cache) loadPosts(d []byte) bool {
	var p savedPosts
	return json.Unmarshal(d, &p) == nil && c.post(p.Guild, p.Channel, post{p.Last, p.Written, p.Deleted})
}
