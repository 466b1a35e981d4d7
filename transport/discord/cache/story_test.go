package cache_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// story makes random events of a small world, in which most ids exist and some do not: what a
// session sends in its first minutes, squeezed.
type story struct{ *rand.Rand }

const self = "1000" // the bot

func (s story) pick(of string, n int) string { return fmt.Sprint(of, s.IntN(n)) }

func (s story) guild() string   { return s.pick("20", 3) }
func (s story) channel() string { return s.pick("30", 5) }
func (s story) thread() string  { return s.pick("40", 4) }
func (s story) role() string    { return s.pick("50", 4) }
func (s story) user() string    { return s.pick("100", 5) } // 1000 is the bot
func (s story) part() string    { return s.pick("60", 3) }  // an emoji, sound, stage or scheduled event

type object = map[string]any

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// some adds each optional field with probability ½; a field may be absent, null, or hold a value.
func (s story) some(o object, fields ...string) object {
	for _, f := range fields {
		switch s.IntN(4) {
		case 0:
			o[f] = nil
		case 1:
			o[f] = s.pick("x \\\" ] } ", 9)
		}
	}
	return o
}

func (s story) channelObject(id string) object {
	return s.some(object{"id": id, "type": []int{0, 2, 15}[s.IntN(3)], "name": s.pick("c", 9)}, "topic", "nsfw", "last_pin_timestamp")
}

func (s story) threadObject(id string) object {
	return s.some(object{
		"id": id, "parent_id": s.channel(), "type": 11, "message_count": 500, "total_message_sent": 500, "member_count": s.IntN(9),
		"thread_metadata": object{"archived": s.IntN(4) == 0},
	}, "name", "flags")
}

// joined makes the bot a member of a thread with probability ½.
func (s story) joined(thread object) object {
	if s.IntN(2) == 0 {
		thread["member"] = object{"flags": s.IntN(9), "join_timestamp": "t"}
	}
	return thread
}

func (s story) memberObject(user string) object {
	return s.some(object{
		"user": s.some(object{"id": user, "username": s.pick("u", 9)}, "global_name"), "roles": []any{s.role(), s.role()}, "flags": 0,
	}, "nick", "avatar")
}

func (s story) voiceObject(user string) object {
	return s.some(object{"user_id": user, "channel_id": s.channel(), "session_id": s.pick("v", 9)}, "self_mute")
}

func list[T any](n int, of func(i int) T) (all []T) {
	all = []T{}
	for i := range n {
		all = append(all, of(i))
	}
	return all
}

func (s story) guildCreate(id string) event {
	g := object{
		"id": id, "name": s.pick("g", 9), "member_count": 500, "joined_at": "2020", "large": false, "presences": []any{},
		"channels": list(4, func(i int) object { return s.channelObject(fmt.Sprint("30", i)) }),
		"threads": list(3, func(i int) object {
			t := s.joined(s.threadObject(fmt.Sprint("40", i)))
			t["thread_metadata"] = object{"archived": false}
			return t
		}),
		"roles":   list(3, func(i int) object { return object{"id": fmt.Sprint("50", i), "name": s.pick("r", 9)} }),
		"emojis":  list(2, func(i int) object { return object{"id": fmt.Sprint("60", i), "name": s.pick("e", 9)} }),
		"members": list(3, func(i int) object { return s.memberObject(fmt.Sprint("100", i)) }), "voice_states": []object{s.voiceObject("1002")},
		"soundboard_sounds": []object{{"sound_id": "600", "name": "s"}}, "stage_instances": []any{}, "guild_scheduled_events": []any{},
	}
	if s.IntN(2) == 0 {
		g["unavailable"] = false
	}
	return event{"GUILD_CREATE", text(g)}
}

func (s story) ready() event {
	return event{"READY", text(object{
		"v": 10, "user": object{"id": self, "username": "bot", "email": nil}, "application": object{"id": "1", "flags": 0}, "session_id": "s",
		"guilds": list(3, func(i int) object { return object{"id": fmt.Sprint("20", i), "unavailable": true} }), "shard": []int{0, 1},
	})}
}

// next makes one event.
func (s story) next() event {
	if s.IntN(12) == 0 {
		return s.rare()
	}
	makers := []func(object) event{
		s.aboutChannels, s.aboutThreads, s.aboutThreadMembers, s.aboutMembers, s.aboutMessages, s.aboutParts, s.aboutRoles,
	}
	return makers[s.IntN(len(makers))](object{"guild_id": s.guild()})
}

func (s story) rare() event {
	switch id := s.guild(); s.IntN(5) {
	case 0:
		return event{"GUILD_DELETE", text(object{"id": id})}
	case 1:
		return event{"GUILD_DELETE", text(object{"id": id, "unavailable": true})}
	case 2:
		return event{"GUILD_CREATE", text(object{"id": id, "unavailable": true})}
	case 3:
		return event{"USER_UPDATE", text(s.some(object{"id": self, "username": s.pick("bot", 9)}, "email", "global_name"))}
	default:
		return s.guildCreate(id)
	}
}

func (s story) aboutChannels(d object) event {
	switch s.IntN(5) {
	case 0:
		d["id"], d["status"] = s.channel(), s.pick("status", 9)
		return event{"VOICE_CHANNEL_STATUS_UPDATE", text(d)}
	case 1:
		d["channel_id"] = []string{s.channel(), s.thread()}[s.IntN(2)]
		return event{"CHANNEL_PINS_UPDATE", text(s.some(d, "last_pin_timestamp"))}
	default:
		o := s.channelObject(s.channel())
		o["guild_id"] = d["guild_id"]
		return event{"CHANNEL_" + s.action(), text(o)}
	}
}

func (s story) action() string { return []string{"CREATE", "UPDATE", "DELETE"}[s.IntN(3)] }

func (s story) aboutThreads(d object) event {
	if s.IntN(4) == 0 {
		if s.IntN(2) == 0 {
			d["channel_ids"] = list(2, func(int) string { return s.channel() })
		}
		d["threads"] = list(2, func(i int) object {
			t := s.threadObject(fmt.Sprint("40", i))
			t["thread_metadata"] = object{"archived": false}
			return t
		})
		d["members"] = list(1, func(int) object {
			return object{"id": "400", "user_id": self, "flags": 1, "join_timestamp": s.pick("t", 9)}
		})
		return event{"THREAD_LIST_SYNC", text(d)}
	}
	action, o := s.action(), s.threadObject(s.thread())
	o["guild_id"] = d["guild_id"]
	if action == "CREATE" {
		o["newly_created"], o["thread_metadata"] = s.IntN(2) == 0, object{"archived": false}
		s.joined(o)
	}
	return event{"THREAD_" + action, text(o)}
}

func (s story) aboutThreadMembers(d object) event {
	d["id"] = s.thread()
	if s.IntN(2) == 0 {
		d["user_id"], d["flags"], d["join_timestamp"] = self, s.IntN(9), "t"
		return event{"THREAD_MEMBER_UPDATE", text(d)}
	}
	d["member_count"] = s.IntN(99)
	if s.IntN(2) == 0 {
		d["added_members"] = list(1, func(int) object {
			return object{"id": d["id"], "user_id": s.user(), "flags": 0, "join_timestamp": "t", "member": object{}, "presence": nil}
		})
	} else {
		d["removed_member_ids"] = list(2, func(int) string { return s.user() })
	}
	return event{"THREAD_MEMBERS_UPDATE", text(d)}
}

func (s story) aboutMembers(d object) event {
	user := s.user()
	switch s.IntN(5) {
	case 0:
		d["user"] = object{"id": user}
		return event{"GUILD_MEMBER_REMOVE", text(d)}
	case 2:
		u := object{"id": user}
		if s.IntN(2) == 0 {
			u["username"] = s.pick("u", 9)
		}
		d["user"], d["status"] = s.some(u, "avatar"), "idle"
		return event{"PRESENCE_UPDATE", text(d)}
	case 1:
		kind := []string{"GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE"}[s.IntN(2)]
		o := s.memberObject(user)
		o["guild_id"] = d["guild_id"]
		return event{kind, text(o)}
	default:
		o := s.voiceObject(user)
		if s.IntN(3) == 0 {
			o["channel_id"] = nil
		}
		o["guild_id"], o["member"] = d["guild_id"], s.memberObject(user)
		return event{"VOICE_STATE_UPDATE", text(o)}
	}
}

func (s story) aboutMessages(d object) event {
	d["channel_id"] = []string{s.channel(), s.thread()}[s.IntN(2)]
	switch s.IntN(4) {
	case 0:
		d["id"] = s.pick("9", 9)
		return event{"MESSAGE_DELETE", text(d)}
	case 1:
		d["ids"] = []string{"1", "2"}
		return event{"MESSAGE_DELETE_BULK", text(d)}
	default:
		d["id"], d["content"] = fmt.Sprint(700+s.IntN(300)), `{"id":"5"} \`
		return event{"MESSAGE_CREATE", text(d)}
	}
}

func (s story) aboutParts(d object) event {
	switch s.IntN(5) {
	case 0:
		d["emojis"] = list(2, func(int) object { return object{"id": s.part(), "name": s.pick("e", 9)} })
		if e := d["emojis"].([]object); e[0]["id"] == e[1]["id"] {
			d["emojis"] = e[:1]
		}
		return event{"GUILD_EMOJIS_UPDATE", text(d)}
	case 1:
		d["soundboard_sounds"] = list(2, func(i int) object { return object{"sound_id": fmt.Sprint("60", i), "name": s.pick("s", 9)} })
		return event{"GUILD_SOUNDBOARD_SOUNDS_UPDATE", text(d)}
	case 2:
		d["sound_id"], d["name"] = s.part(), s.pick("s", 9)
		return event{"GUILD_SOUNDBOARD_SOUND_" + s.action(), text(d)}
	case 3:
		d["id"], d["channel_id"] = s.part(), s.channel()
		return event{"STAGE_INSTANCE_" + s.action(), text(d)}
	default:
		d["id"], d["channel_id"], d["status"] = s.part(), s.channel(), 1+s.IntN(4)
		return event{"GUILD_SCHEDULED_EVENT_" + s.action(), text(d)}
	}
}

func (s story) aboutRoles(d object) event {
	switch s.IntN(3) {
	case 0:
		d["role_id"] = s.role()
		return event{"GUILD_ROLE_DELETE", text(d)}
	case 1:
		d["role"] = object{"id": s.role(), "name": s.pick("r", 9)}
		return event{"GUILD_ROLE_" + []string{"CREATE", "UPDATE"}[s.IntN(2)], text(d)}
	}
	o := s.some(object{"id": d["guild_id"], "name": s.pick("g", 9), "roles": list(4, func(i int) object { return object{"id": fmt.Sprint("50", i)} })}, "icon")
	o["member_count"], o["joined_at"] = 7, "never" // GUILD_UPDATE never sends them: to be ignored
	return event{"GUILD_UPDATE", text(o)}
}
