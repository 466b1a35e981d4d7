package cache

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/discluster/control/transport/discord/splice"
)

// archivedMax limits the threads in the archive of which the bot's member is kept, 200 bytes each.
const archivedMax = 2000

// archivedID is a thread in the archive that the bot is a member of. It is in no GUILD_CREATE, and
// when it comes back, no event brings the bot's member.
type archivedID struct{ guild, thread uint64 }

// archive removes a thread and keeps the bot's member of it.
func (c *Cache) archive(all *contents, thread uint64) {
	i := all.find(threads, thread)
	if i < 0 {
		return
	}
	if member := splice.Get(all.at(threads, i).raw, "member"); !splice.IsNull(member) {
		c.keepArchived(all.archivedID(thread), member)
	}
	all.remove(threads, thread)
}

func (all *contents) archivedID(thread uint64) archivedID {
	return archivedID{splice.ID(all.fields.Get("id")), thread}
}

// keepArchived gives up the oldest thread where there are too many.
func (c *Cache) keepArchived(id archivedID, member []byte) {
	if c.archived == nil {
		c.archived = map[archivedID][]byte{}
	}
	c.archived[id] = bytes.Clone(member) // a part of its guild
	if len(c.archived) > archivedMax {
		oldest := id
		for other := range c.archived {
			if other.thread < oldest.thread {
				oldest = other
			}
		}
		delete(c.archived, oldest)
	}
}

// unarchive gives a thread the bot's member of it, unless it came with one.
func (c *Cache) unarchive(all *contents, thread uint64) {
	member, known := c.archived[all.archivedID(thread)]
	if i := all.find(threads, thread); known && splice.Get(all.at(threads, i).raw, "member") == nil {
		all.patch(threads, thread, "member", member)
	}
	delete(c.archived, all.archivedID(thread))
}

// forgetArchived forgets the threads of a guild that is gone.
func (c *Cache) forgetArchived(guild uint64) {
	maps.DeleteFunc(c.archived, func(id archivedID, _ []byte) bool { return id.guild == guild })
}

// savedArchived holds what Save writes of a thread in the archive.
type savedArchived struct {
	Guild  uint64          `json:"guild"`
	Thread uint64          `json:"thread"`
	Member json.RawMessage `json:"member"`
}

func (c *Cache) loadArchived(d []byte) bool {
	var a savedArchived
	if json.Unmarshal(d, &a) != nil || c.guilds[a.Guild] == nil || splice.IsNull(a.Member) {
		return false
	}
	c.keepArchived(archivedID{a.Guild, a.Thread}, a.Member)
	return true
}
