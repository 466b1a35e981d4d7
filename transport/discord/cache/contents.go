package cache

import (
	"slices"

	"github.com/discluster/control/transport/discord/splice"
)

// list is one of the lists of GUILD_CREATE.
type list int

const (
	channels list = iota
	threads
	roles
	emojis
	stickers
	sounds
	members
	voice
	presences
	stages
	scheduled
	listsN
)

// listFields are what they are called, and where an item has its id.
var listFields = [listsN]struct {
	name string
	id   []string
}{
	channels:  {"channels", []string{"id"}},
	threads:   {"threads", []string{"id"}},
	roles:     {"roles", []string{"id"}},
	emojis:    {"emojis", []string{"id"}},
	stickers:  {"stickers", []string{"id"}},
	sounds:    {"soundboard_sounds", []string{"sound_id"}},
	members:   {"members", []string{"user", "id"}},
	voice:     {"voice_states", []string{"user_id"}},
	presences: {"presences", []string{"user", "id"}},
	stages:    {"stage_instances", []string{"id"}},
	scheduled: {"guild_scheduled_events", []string{"id"}},
}

// extras are the fields that only GUILD_CREATE has: GUILD_UPDATE leaves them alone.
var extras = []string{
	"channels", "threads", "soundboard_sounds", "members", "voice_states", "presences",
	"stage_instances", "guild_scheduled_events", "joined_at", "large", "member_count", "unavailable", "lazy",
}

// contents are a guild taken apart, as far as it was needed.
type contents struct {
	fields splice.Object // a list that was taken apart has no value here
	lists  [listsN]*[]item
}

// item is an element of a list.
type item struct {
	id  uint64 // 0: it has none
	raw []byte
}

// parse takes the "d" of a GUILD_CREATE apart.
func parse(d []byte) *contents { return &contents{fields: splice.Parse(d)} }

// list returns a list, to be read or changed in place.
func (all *contents) list(l list) *[]item {
	if all.lists[l] == nil {
		name := listFields[l].name
		list := items(l, all.fields.Get(name))
		all.lists[l] = &list
		for i := range all.fields {
			if all.fields[i].Key == name {
				all.fields[i].Value = nil
			}
		}
	}
	return all.lists[l]
}

// at returns an item of a list.
func (all *contents) at(l list, i int) *item { return &(*all.list(l))[i] }

// listOf returns the list of a name, below 0 where it is none.
func listOf(name string) list {
	for l := range listsN {
		if listFields[l].name == name {
			return l
		}
	}
	return -1
}

func items(l list, raw []byte) (all []item) {
	for v := range splice.Items(raw) {
		all = append(all, item{l.id(v), v})
	}
	return all
}

// id returns the id of an item.
func (l list) id(raw []byte) uint64 { return splice.ID(splice.Get(raw, listFields[l].id...)) }

// limit leaves the members that are kept, and no presences.
func (all *contents) limit(self uint64) {
	kept := all.list(members)
	*kept = slices.DeleteFunc(*kept, func(m item) bool { return m.id != self && all.find(voice, m.id) < 0 })
	all.set(presences, nil)
}

// set replaces a list.
func (all *contents) set(l list, to []item) {
	all.lists[l] = &to
	all.fields.Set(listFields[l].name, nil) // where there was no such list
}

// find returns the index of an item, below 0 where there is none.
func (all *contents) find(l list, id uint64) int {
	return slices.IndexFunc(*all.list(l), func(i item) bool { return i.id == id && id != 0 })
}

// put replaces an item by its id, or adds it.
func (all *contents) put(l list, raw []byte) {
	id := l.id(raw)
	switch i := all.find(l, id); {
	case i >= 0:
		all.at(l, i).raw = raw
	case id != 0:
		all.set(l, append(*all.list(l), item{id, raw}))
	}
}

// merge puts an item's fields, except the named ones, in place of those it had.
func (all *contents) merge(l list, raw []byte, except ...string) {
	if i := all.find(l, l.id(raw)); i >= 0 {
		raw = splice.Merge(all.at(l, i).raw, raw, except...)
	} else {
		raw = splice.Without(raw, except...)
	}
	all.put(l, raw)
}

// patch sets a field of an item that is there.
func (all *contents) patch(l list, id uint64, key string, value []byte) {
	if i := all.find(l, id); i >= 0 {
		all.at(l, i).raw = splice.With(all.at(l, i).raw, key, value)
	}
}

func (all *contents) remove(l list, id uint64) {
	if i := all.find(l, id); i >= 0 {
		*all.list(l) = slices.Delete(*all.list(l), i, i+1)
	}
}

// removeWhere removes every item whose field is this id.
func (all *contents) removeWhere(l list, key string, id uint64) {
	of := all.list(l)
	*of = slices.DeleteFunc(*of, func(i item) bool { return splice.ID(splice.Get(i.raw, key)) == id })
}

// text returns the guild's JSON, the "d" of its GUILD_CREATE.
func (all *contents) text() []byte {
	o := slices.Clone(all.fields)
	for i, f := range o {
		if l := listOf(f.Key); l >= 0 && all.lists[l] != nil {
			o[i].Value = join(*all.lists[l])
		}
	}
	return o.Append(make([]byte, 0, all.size()))
}

func join(list []item) []byte {
	n := 2
	for _, i := range list {
		n += len(i.raw) + 1
	}
	b := append(make([]byte, 0, n), '[')
	for n, i := range list {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, i.raw...)
	}
	return append(b, ']')
}

// selfUpdate takes what the bot's member has of its user from a USER_UPDATE.
func (all *contents) selfUpdate(self uint64, d []byte) {
	i := all.find(members, self)
	if i < 0 {
		return
	}
	m := all.at(members, i).raw
	user := splice.Parse(splice.Get(m, "user"))
	for n, f := range user {
		if v := splice.Get(d, f.Key); v != nil {
			user[n].Value = v
		}
	}
	all.at(members, i).raw = splice.With(m, "user", user.Append(nil))
}

// itemBytes counts an item beside its text.
const itemBytes = 32

// size returns about how many bytes the guild takes.
func (all *contents) size() (n int) {
	for _, f := range all.fields {
		n += len(f.Key) + len(f.Value) + 4
	}
	for _, l := range all.lists {
		if l == nil {
			continue
		}
		for _, i := range *l {
			n += len(i.raw) + itemBytes
		}
	}
	return n + 2
}
