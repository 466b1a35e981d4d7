package cache_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// reader is a bot's library, as all of them agree: it keeps what READY and the events after it say,
// decoded. It shares nothing with the cache but Discord's documentation.
type reader struct {
	user   map[string]any
	guilds map[string]map[string]any // nil: unavailable
	// archived are the bot's members of threads in the archive, by guild and thread.
	archived map[[2]string]any
}

type event struct {
	kind string
	d    string
}

func decode(d string) map[string]any {
	var m map[string]any
	if err := json.Unmarshal([]byte(d), &m); err != nil {
		panic(err.Error() + ": " + d)
	}
	return m
}

func (r *reader) read(e event) {
	d := decode(e.d)
	switch e.kind {
	case "READY":
		*r = reader{user: d["user"].(map[string]any), guilds: map[string]map[string]any{}, archived: map[[2]string]any{}}
		for _, g := range d["guilds"].([]any) {
			r.guilds[g.(map[string]any)["id"].(string)] = nil
		}
	case "USER_UPDATE":
		assign(r.user, d)
		for _, g := range r.guilds {
			for _, m := range rows(g, "members") {
				if id(m, "user", "id") == r.user["id"] {
					for k := range m["user"].(map[string]any) {
						if v, ok := d[k]; ok {
							m["user"].(map[string]any)[k] = v
						}
					}
				}
			}
		}
	case "GUILD_CREATE":
		r.guilds[id(d, "id")] = d
		if d["unavailable"] == true {
			r.guilds[id(d, "id")] = nil
		}
		delete(d, "unavailable")
		for _, t := range rows(d, "threads") {
			delete(r.archived, [2]string{id(d, "id"), id(t, "id")})
		}
	case "GUILD_DELETE":
		if _, known := r.guilds[id(d, "id")]; known && d["unavailable"] == true {
			r.guilds[id(d, "id")] = nil
		} else {
			delete(r.guilds, id(d, "id"))
			maps.DeleteFunc(r.archived, func(at [2]string, _ any) bool { return at[0] == id(d, "id") })
		}
	case "GUILD_UPDATE":
		if g := r.guilds[id(d, "id")]; g != nil {
			for _, k := range []string{"channels", "members", "member_count", "joined_at", "large"} {
				delete(d, k)
			}
			assign(g, d)
		}
	default:
		if g := r.guilds[id(d, "guild_id")]; g != nil {
			r.inGuild(g, e.kind, d)
		}
	}
}

func (r *reader) inGuild(g map[string]any, kind string, d map[string]any) {
	list, action := kind, ""
	if i := strings.LastIndexByte(kind, '_'); i >= 0 {
		list, action = kind[:i], kind[i+1:]
	}
	switch list {
	case "CHANNEL", "THREAD", "STAGE_INSTANCE", "GUILD_SCHEDULED_EVENT", "GUILD_SOUNDBOARD_SOUND":
		r.object(g, list, action, d)
	case "MESSAGE", "MESSAGE_DELETE":
		r.message(g, kind, d)
	case "CHANNEL_PINS":
		for _, name := range []string{"channels", "threads"} {
			set(g, name, id(d, "channel_id"), "last_pin_timestamp", d["last_pin_timestamp"])
		}
	case "VOICE_CHANNEL_STATUS":
		set(g, "channels", id(d, "id"), "status", d["status"])
	case "THREAD_LIST":
		r.sync(g, d)
	case "THREAD_MEMBER":
		if at := [2]string{id(g, "id"), id(d, "id")}; r.archived[at] != nil {
			r.archived[at] = only(d, "flags", "join_timestamp")
		}
		set(g, "threads", id(d, "id"), "member", only(d, "flags", "join_timestamp"))
	case "THREAD_MEMBERS":
		set(g, "threads", id(d, "id"), "member_count", d["member_count"])
		for _, m := range rows(d, "added_members") {
			if m["user_id"] == r.user["id"] {
				set(g, "threads", id(d, "id"), "member", only(m, "flags", "join_timestamp"))
			}
		}
		if removed, _ := d["removed_member_ids"].([]any); !slices.Contains(removed, r.user["id"]) {
			return
		}
		delete(r.archived, [2]string{id(g, "id"), id(d, "id")})
		for _, t := range rows(g, "threads") {
			if t["id"] == d["id"] {
				delete(t, "member")
			}
		}
	case "GUILD_ROLE":
		if action != "DELETE" {
			put(g, "roles", d["role"].(map[string]any), false)
			return
		}
		drop(g, "roles", func(o map[string]any) bool { return o["id"] == d["role_id"] })
		for _, m := range rows(g, "members") {
			m["roles"] = slices.DeleteFunc(m["roles"].([]any), func(x any) bool { return x == d["role_id"] })
		}
	case "GUILD_EMOJIS":
		g["emojis"] = d["emojis"]
	case "GUILD_SOUNDBOARD_SOUNDS":
		for _, s := range rows(d, "soundboard_sounds") {
			put(g, "soundboard_sounds", s, false)
		}
	case "GUILD_MEMBER":
		r.member(g, action, d)
	case "PRESENCE":
		for _, m := range rows(g, "members") {
			if user := d["user"].(map[string]any); key(m) == id(user, "id") && user["username"] != nil && r.kept(g, key(m)) {
				assign(m["user"].(map[string]any), user)
			}
		}
	case "VOICE_STATE":
		drop(g, "voice_states", func(o map[string]any) bool { return o["user_id"] == d["user_id"] })
		m := d["member"].(map[string]any)
		delete(d, "member")
		delete(d, "guild_id")
		if d["channel_id"] != nil {
			g["voice_states"] = append(g["voice_states"].([]any), d)
			put(g, "members", m, false)
		}
	}
}

// object changes a list whose events bring whole objects.
func (r *reader) object(g map[string]any, list, action string, d map[string]any) {
	name := map[string]string{
		"CHANNEL": "channels", "THREAD": "threads", "STAGE_INSTANCE": "stage_instances",
		"GUILD_SCHEDULED_EVENT": "guild_scheduled_events", "GUILD_SOUNDBOARD_SOUND": "soundboard_sounds",
	}[list]
	created := d["newly_created"] == true
	delete(d, "newly_created")
	over := false
	switch list {
	case "THREAD":
		meta, _ := d["thread_metadata"].(map[string]any)
		over = action == "UPDATE" && meta["archived"] == true
	case "GUILD_SCHEDULED_EVENT":
		over = d["status"] == 3.0 || d["status"] == 4.0
	}
	if list == "THREAD" {
		defer r.archive(g, action, d, over)
		if t := find(g, "threads", id(d, "id")); over && t["member"] != nil {
			r.archived[[2]string{id(g, "id"), id(d, "id")}] = t["member"]
		}
	}
	if action != "DELETE" && !over {
		put(g, name, d, list == "THREAD" || list == "CHANNEL" && action == "UPDATE")
		for _, c := range rows(g, "channels") {
			if created && c["id"] == d["parent_id"] && c["type"] == 15.0 {
				newest(c, id(d, "id"))
			}
		}
		return
	}
	drop(g, name, func(o map[string]any) bool { return key(o) == key(d) })
	if list == "CHANNEL" {
		drop(g, "threads", func(o map[string]any) bool { return o["parent_id"] == d["id"] })
		for _, name := range []string{"stage_instances", "guild_scheduled_events", "voice_states"} {
			drop(g, name, func(o map[string]any) bool { return o["channel_id"] == d["id"] })
		}
	}
}

// archive gives a thread that is back from the archive the bot's member, which no event brings.
func (r *reader) archive(g map[string]any, action string, d map[string]any, over bool) {
	at := [2]string{id(g, "id"), id(d, "id")}
	if t := find(g, "threads", at[1]); t != nil && t["member"] == nil && r.archived[at] != nil {
		t["member"] = r.archived[at]
	}
	if action == "DELETE" || !over {
		delete(r.archived, at)
	}
}

func (r *reader) message(g map[string]any, kind string, d map[string]any) {
	ids, bulk := d["ids"].([]any)
	n := -float64(len(ids))
	if !bulk {
		n = map[string]float64{"MESSAGE_CREATE": 1, "MESSAGE_DELETE": -1}[kind]
	}
	for _, name := range []string{"channels", "threads"} {
		for _, o := range rows(g, name) {
			if o["id"] != d["channel_id"] {
				continue
			}
			if n > 0 {
				newest(o, id(d, "id"))
			}
			if name == "threads" {
				o["message_count"] = o["message_count"].(float64) + n
				o["total_message_sent"] = o["total_message_sent"].(float64) + max(n, 0)
			}
		}
	}
}

func (r *reader) sync(g, d map[string]any) {
	in, some := d["channel_ids"].([]any)
	drop(g, "threads", func(o map[string]any) bool { return !some || slices.Contains(in, o["parent_id"]) })
	for _, t := range rows(d, "threads") {
		put(g, "threads", t, false)
		delete(r.archived, [2]string{id(g, "id"), id(t, "id")})
	}
	for _, m := range rows(d, "members") {
		set(g, "threads", id(m, "id"), "member", only(m, "flags", "join_timestamp"))
	}
}

func (r *reader) member(g map[string]any, action string, d map[string]any) {
	delete(d, "guild_id")
	user := id(d, "user", "id")
	kept := r.kept(g, user)
	switch action {
	case "ADD":
		if kept {
			put(g, "members", d, true)
			return
		}
		g["member_count"] = g["member_count"].(float64) + 1
	case "REMOVE":
		g["member_count"] = g["member_count"].(float64) - 1
		drop(g, "members", func(m map[string]any) bool { return key(m) == user })
		drop(g, "voice_states", func(m map[string]any) bool { return m["user_id"] == user })
	case "UPDATE":
		if kept {
			put(g, "members", d, true)
		}
	}
}

// kept reports whether a member is one of those that a session without presences begins with.
func (r *reader) kept(g map[string]any, user string) bool {
	there := func(o map[string]any) bool { return key(o) == user }
	return slices.ContainsFunc(rows(g, "members"), there) &&
		(user == r.user["id"] || slices.ContainsFunc(rows(g, "voice_states"), there))
}

// truth returns the reader's state in a fixed order, without members that a new session is not
// sent.
func (r *reader) truth() string {
	for _, g := range r.guilds {
		drop(g, "members", func(m map[string]any) bool { return !r.kept(g, key(m)) })
		for _, v := range g {
			if list, ok := v.([]any); ok {
				slices.SortFunc(list, func(a, b any) int {
					return strings.Compare(key(a.(map[string]any)), key(b.(map[string]any)))
				})
			}
		}
	}
	text, err := json.MarshalIndent(map[string]any{"user": r.user, "guilds": r.guilds}, "", " ")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// id returns the text under a path of keys.
func id(o map[string]any, path ...string) string {
	for _, k := range path[:len(path)-1] {
		o, _ = o[k].(map[string]any)
	}
	s, _ := o[path[len(path)-1]].(string)
	return s
}

// key is an object's id in its list, whichever list that is.
func key(o map[string]any) string {
	for _, path := range [][]string{{"sound_id"}, {"user", "id"}, {"user_id"}, {"id"}} {
		if s := id(o, path...); s != "" {
			return s
		}
	}
	return ""
}

func rows(o map[string]any, name string) (all []map[string]any) {
	list, _ := o[name].([]any)
	for _, v := range list {
		all = append(all, v.(map[string]any))
	}
	return all
}

func find(g map[string]any, name, of string) map[string]any {
	for _, o := range rows(g, name) {
		if o["id"] == of {
			return o
		}
	}
	return nil
}

func assign(to, from map[string]any) {
	for k, v := range from {
		to[k] = v
	}
}

func put(g map[string]any, name string, o map[string]any, merge bool) {
	for i, old := range rows(g, name) {
		if key(old) == key(o) {
			if merge {
				assign(old, o)
			} else {
				g[name].([]any)[i] = o
			}
			return
		}
	}
	g[name] = append(g[name].([]any), o)
}

func set(g map[string]any, name, of, k string, v any) {
	for _, o := range rows(g, name) {
		if o["id"] == of {
			o[k] = v
		}
	}
}

func drop(g map[string]any, name string, gone func(map[string]any) bool) {
	if list, ok := g[name].([]any); ok {
		g[name] = slices.DeleteFunc(list, func(o any) bool { return gone(o.(map[string]any)) })
	}
}

func only(o map[string]any, keys ...string) map[string]any {
	part := map[string]any{}
	for _, k := range keys {
		if v, ok := o[k]; ok {
			part[k] = v
		}
	}
	return part
}

// newest sets last_message_id; ids of one length compare as numbers do.
func newest(o map[string]any, message string) {
	if old, _ := o["last_message_id"].(string); message > old {
		o["last_message_id"] = message
	}
}
