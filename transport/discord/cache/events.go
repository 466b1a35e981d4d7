package cache

import (
	"slices"

	"github.com/discluster/control/transport/discord/splice"
)

// change applies an event to its guild.
type change func(c *Cache, all *contents, d []byte)

// changes are the events of an available guild that change what is kept of it. MESSAGE_CREATE and
// the like, which are most of all events, do so without opening it.
var changes = map[string]change{
	"GUILD_UPDATE": guildUpdate,

	"CHANNEL_CREATE":      put(channels),
	"CHANNEL_UPDATE":      merge(channels), // it may omit last_message_id and last_pin_timestamp
	"CHANNEL_DELETE":      channelDelete,
	"CHANNEL_PINS_UPDATE": pinsUpdate,

	"VOICE_CHANNEL_STATUS_UPDATE":     copyField(channels, "status"),
	"VOICE_CHANNEL_START_TIME_UPDATE": copyField(channels, "voice_start_time"),

	"THREAD_CREATE":         threadCreate,
	"THREAD_UPDATE":         threadUpdate,
	"THREAD_DELETE":         threadDelete,
	"THREAD_LIST_SYNC":      threadListSync,
	"THREAD_MEMBER_UPDATE":  threadMemberUpdate,
	"THREAD_MEMBERS_UPDATE": threadMembersUpdate,

	"GUILD_ROLE_CREATE": putField(roles, "role"),
	"GUILD_ROLE_UPDATE": putField(roles, "role"),
	"GUILD_ROLE_DELETE": roleDelete,

	"GUILD_EMOJIS_UPDATE":            replace(emojis),
	"GUILD_STICKERS_UPDATE":          replace(stickers),
	"SOUNDBOARD_SOUNDS":              replace(sounds),
	"GUILD_SOUNDBOARD_SOUND_CREATE":  put(sounds),
	"GUILD_SOUNDBOARD_SOUND_UPDATE":  put(sounds),
	"GUILD_SOUNDBOARD_SOUND_DELETE":  remove(sounds, "sound_id"),
	"GUILD_SOUNDBOARD_SOUNDS_UPDATE": soundsUpdate,
	"GUILD_MEMBER_ADD":               memberAdd,
	"GUILD_MEMBER_UPDATE":            memberUpdate,
	"GUILD_MEMBER_REMOVE":            memberRemove,
	"PRESENCE_UPDATE":                presenceUpdate,
	"VOICE_STATE_UPDATE":             voiceStateUpdate,
	"STAGE_INSTANCE_CREATE":          put(stages),
	"STAGE_INSTANCE_UPDATE":          put(stages),
	"STAGE_INSTANCE_DELETE":          remove(stages, "id"),
	"GUILD_SCHEDULED_EVENT_CREATE":   scheduledEvent,
	"GUILD_SCHEDULED_EVENT_UPDATE":   scheduledEvent,
	"GUILD_SCHEDULED_EVENT_DELETE":   remove(scheduled, "id"),
}

// put takes the whole event as an item.
func put(l list) change {
	return func(_ *Cache, all *contents, d []byte) { all.put(l, d) }
}

func merge(l list) change {
	return func(_ *Cache, all *contents, d []byte) { all.merge(l, d) }
}

// putField takes one field of the event as an item.
func putField(l list, key string) change {
	return func(_ *Cache, all *contents, d []byte) { all.put(l, splice.Get(d, key)) }
}

// remove removes the item whose id a field is.
func remove(l list, key string) change {
	return func(_ *Cache, all *contents, d []byte) { all.remove(l, splice.ID(splice.Get(d, key))) }
}

// replace takes the event's list of the same name.
func replace(l list) change {
	return func(_ *Cache, all *contents, d []byte) {
		if v := splice.Get(d, listFields[l].name); v != nil {
			all.set(l, items(l, v))
		}
	}
}

// copyField copies one field to the item of the event's id; null where it is missing.
func copyField(l list, key string) change {
	return func(_ *Cache, all *contents, d []byte) {
		all.patch(l, splice.ID(splice.Get(d, "id")), key, orNull(splice.Get(d, key)))
	}
}

func orNull(v []byte) []byte {
	if v == nil {
		return []byte("null")
	}
	return v
}

// guildUpdate merges all but what only GUILD_CREATE has; roles, emojis and stickers come whole.
func guildUpdate(_ *Cache, all *contents, d []byte) {
	for k, v := range splice.Fields(d) {
		key := string(k)
		switch l := listOf(key); {
		case slices.Contains(extras, key):
		case l >= 0:
			all.set(l, items(l, v))
		default:
			all.fields.Set(key, v)
		}
	}
}

// channelDelete takes along what Discord ends with a channel without an event: its threads,
// scheduled events, stage and voice states.
func channelDelete(c *Cache, all *contents, d []byte) {
	id := splice.ID(splice.Get(d, "id"))
	if id == 0 {
		return
	}
	all.remove(channels, id)
	all.removeWhere(threads, "parent_id", id)
	for _, l := range []list{scheduled, stages, voice} {
		all.removeWhere(l, "channel_id", id)
	}
	all.limit(c.self)
}

func pinsUpdate(_ *Cache, all *contents, d []byte) {
	id := splice.ID(splice.Get(d, "channel_id"))
	for _, l := range []list{channels, threads} {
		all.patch(l, id, "last_pin_timestamp", orNull(splice.Get(d, "last_pin_timestamp")))
	}
}

// threadCreate is also sent when the bot joins a thread, with its member.
func threadCreate(c *Cache, all *contents, d []byte) {
	all.merge(threads, d, "newly_created")
	c.unarchive(all, threads.id(d))
	parent := all.find(channels, splice.ID(splice.Get(d, "parent_id")))
	if string(splice.Get(d, "newly_created")) == "true" && parent >= 0 && forum(all.at(channels, parent).raw) {
		all.setLast(channels, parent, splice.ID(splice.Get(d, "id")))
	}
}

// forum reports whether a channel's messages are threads (resources/channel, "Channel Types").
func forum(channel []byte) bool {
	kind := string(splice.Get(channel, "type"))
	return kind == "15" || kind == "16"
}

// threadUpdate keeps the bot's member, which the event does not have: in the archive, too.
func threadUpdate(c *Cache, all *contents, d []byte) {
	if string(splice.Get(d, "thread_metadata", "archived")) == "true" {
		c.archive(all, threads.id(d))
		return
	}
	all.merge(threads, d)
	c.unarchive(all, threads.id(d))
}

func threadDelete(c *Cache, all *contents, d []byte) {
	all.remove(threads, threads.id(d))
	delete(c.archived, all.archivedID(threads.id(d)))
}

// threadListSync replaces the threads of some channels, or of all.
func threadListSync(c *Cache, all *contents, d []byte) {
	if in := splice.Get(d, "channel_ids"); in != nil {
		for c := range splice.Items(in) {
			if id := splice.ID(c); id != 0 {
				all.removeWhere(threads, "parent_id", id)
			}
		}
	} else {
		all.set(threads, nil)
	}
	for t := range splice.Items(splice.Get(d, "threads")) {
		all.put(threads, t)
		delete(c.archived, all.archivedID(threads.id(t)))
	}
	for m := range splice.Items(splice.Get(d, "members")) {
		all.patch(threads, splice.ID(splice.Get(m, "id")), "member", threadMember(m))
	}
}

// threadMember is a thread member as a thread has the bot's.
func threadMember(m []byte) []byte { return splice.Without(m, "id", "user_id", "guild_id") }

func threadMemberUpdate(c *Cache, all *contents, d []byte) {
	all.patch(threads, threads.id(d), "member", threadMember(d))
	if id := all.archivedID(threads.id(d)); c.archived[id] != nil {
		c.keepArchived(id, threadMember(d))
	}
}

func threadMembersUpdate(c *Cache, all *contents, d []byte) {
	id := splice.ID(splice.Get(d, "id"))
	if n := splice.Get(d, "member_count"); n != nil {
		all.patch(threads, id, "member_count", n)
	}
	for m := range splice.Items(splice.Get(d, "added_members")) {
		if splice.ID(splice.Get(m, "user_id")) == c.self {
			all.patch(threads, id, "member", splice.Without(threadMember(m), "member", "presence"))
		}
	}
	for user := range splice.Items(splice.Get(d, "removed_member_ids")) {
		if splice.ID(user) != c.self {
			continue
		}
		delete(c.archived, all.archivedID(id))
		if i := all.find(threads, id); i >= 0 {
			all.at(threads, i).raw = splice.Without(all.at(threads, i).raw, "member")
		}
	}
}

// roleDelete takes the role from the members that are kept, too: no event reports it.
func roleDelete(_ *Cache, all *contents, d []byte) {
	id := splice.ID(splice.Get(d, "role_id"))
	all.remove(roles, id)
	for i, m := range *all.list(members) {
		left, had := []byte{'['}, false
		for r := range splice.Items(splice.Get(m.raw, "roles")) {
			if splice.ID(r) == id {
				had = true
				continue
			}
			if len(left) > 1 {
				left = append(left, ',')
			}
			left = append(left, r...)
		}
		if had {
			all.at(members, i).raw = splice.With(m.raw, "roles", append(left, ']'))
		}
	}
}

// soundsUpdate brings those that changed, not all.
func soundsUpdate(_ *Cache, all *contents, d []byte) {
	for s := range splice.Items(splice.Get(d, "soundboard_sounds")) {
		all.put(sounds, s)
	}
}

// memberAdd is also sent for a member that is known.
func memberAdd(_ *Cache, all *contents, d []byte) {
	if all.find(members, members.id(d)) >= 0 {
		all.merge(members, d, "guild_id")
		return
	}
	all.countMembers(1)
}

// memberUpdate changes a member that is kept: in a list, an incomplete one ends discord.py.
func memberUpdate(_ *Cache, all *contents, d []byte) {
	if all.find(members, members.id(d)) >= 0 {
		all.merge(members, d, "guild_id")
	}
}

func memberRemove(_ *Cache, all *contents, d []byte) {
	id := members.id(d)
	all.remove(members, id)
	all.remove(voice, id)
	all.countMembers(-1)
}

// presenceUpdate takes the new name or avatar of a member that is kept: without the members intent
// nothing else brings it. The presence is not kept.
func presenceUpdate(_ *Cache, all *contents, d []byte) {
	if i := all.find(members, members.id(d)); i >= 0 {
		m := all.at(members, i)
		m.raw = splice.With(m.raw, "user", splice.Merge(splice.Get(m.raw, "user"), splice.Get(d, "user")))
	}
}

// countMembers changes member_count.
func (all *contents) countMembers(n int64) {
	if old, ok := splice.Int(all.fields.Get("member_count")); ok {
		all.fields.Set("member_count", number(max(old+n, 0)))
	}
}

// voiceStateUpdate keeps those in voice channels, and their members.
func voiceStateUpdate(c *Cache, all *contents, d []byte) {
	id := splice.ID(splice.Get(d, "user_id"))
	if splice.IsNull(splice.Get(d, "channel_id")) {
		all.remove(voice, id)
		if id != c.self {
			all.remove(members, id)
		}
		return
	}
	all.put(voice, splice.Without(d, "guild_id", "member"))
	if m := splice.Get(d, "member"); members.id(m) == id {
		all.put(members, m)
	}
}

// scheduledEvent keeps events that are scheduled or under way (status 1 and 2).
func scheduledEvent(_ *Cache, all *contents, d []byte) {
	switch string(splice.Get(d, "status")) {
	case "3", "4":
		all.remove(scheduled, splice.ID(splice.Get(d, "id")))
	default:
		all.put(scheduled, d)
	}
}
