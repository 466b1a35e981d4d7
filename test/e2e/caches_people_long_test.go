//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
)

// Roles. An event is sent for each that moves, as some libraries move them by themselves.

func (w *world) roleNew(g *guild) {
	r := maps.Clone(rows(g.data, "roles")[0])
	r["id"], r["position"], r["permissions"] = w.id(), 1, "0"
	w.paint(r)
	all := g.data["roles"].([]any)
	g.data["roles"] = slices.Insert(slices.Clone(all), 1, any(r))
	w.send("GUILD_ROLE_CREATE", object{"guild_id": g.data["id"], "role": r})
	w.ranks(g)
}

// ranks sends the roles whose position has changed.
func (w *world) ranks(g *guild) {
	for i, r := range rows(g.data, "roles") {
		if fmt.Sprint(r["position"]) != fmt.Sprint(i) {
			r["position"] = i
			w.send("GUILD_ROLE_UPDATE", object{"guild_id": g.data["id"], "role": r})
		}
	}
}

func (w *world) paint(r object) {
	r["name"], r["hoist"], r["color"], r["unicode_emoji"] = w.name("role"), w.IntN(2) == 0, w.IntN(999), w.maybe("🐇")
	delete(r, "tags")
	if w.IntN(3) == 0 {
		r["tags"] = object{"bot_id": me}
	}
}

// role picks one that is not everyone's.
func (w *world) role(g *guild) object {
	if all := rows(g.data, "roles")[1:]; len(all) > 0 {
		return all[w.IntN(len(all))]
	}
	return nil
}

func (w *world) roleUpdate(g *guild) {
	if r := w.role(g); r != nil {
		w.paint(r)
		w.send("GUILD_ROLE_UPDATE", object{"guild_id": g.data["id"], "role": r})
	}
}

// roleOrder moves a role to the top.
func (w *world) roleOrder(g *guild) {
	if r := w.role(g); r != nil {
		drop(g.data, "roles", is("id", r["id"]))
		add(g.data, "roles", r)
		w.ranks(g)
	}
}

// roleDelete sends no event about the members that had the role.
func (w *world) roleDelete(g *guild) {
	r := w.role(g)
	if r == nil {
		return
	}
	id := r["id"]
	drop(g.data, "roles", is("id", id))
	for _, m := range slices.Concat(rows(g.data, "members"), rows(g.data, "emojis")) {
		m["roles"] = slices.DeleteFunc(slices.Clone(m["roles"].([]any)), func(r any) bool { return r == id })
	}
	w.send("GUILD_ROLE_DELETE", object{"guild_id": g.data["id"], "role_id": id})
	w.ranks(g)
}

func (w *world) roles(g *guild) []any {
	all := []any{}
	for range w.IntN(3) {
		if r := w.role(g); r != nil && !slices.Contains(all, r["id"]) {
			all = append(all, r["id"])
		}
	}
	return all
}

// Emojis, stickers, sounds: their makers have left, and are users who never change their names.

func (w *world) maker() object {
	u := maps.Clone(w.users[fmt.Sprint(1<<38)])
	u["id"], u["username"], u["avatar"] = "1", "user 1", nil
	return u
}

// some changes a list: one is new, one changes, or one goes.
func (w *world) some(g *guild, list string, change func(object)) {
	o := w.one(g.data, list)
	switch n := w.IntN(4); {
	case n < 2 || o == nil:
		o = object{"id": w.id()}
		change(o)
		add(g.data, list, o)
	case n == 2:
		change(o)
	default:
		drop(g.data, list, is("id", o["id"]))
	}
}

func (w *world) emojis(g *guild) {
	w.some(g, "emojis", func(e object) {
		e["name"], e["roles"], e["user"] = w.name("emoji"), w.roles(g), w.maker()
		e["require_colons"], e["managed"], e["animated"], e["available"] = true, false, false, true
	})
	w.send("GUILD_EMOJIS_UPDATE", object{"guild_id": g.data["id"], "emojis": g.data["emojis"]})
}

func (w *world) stickers(g *guild) {
	w.some(g, "stickers", func(s object) {
		s["name"], s["description"], s["tags"], s["user"] = w.name("sticker"), w.maybe(w.name("about")), "wave", w.maker()
		s["type"], s["format_type"], s["available"], s["guild_id"] = 2, 1, true, g.data["id"]
	})
	w.send("GUILD_STICKERS_UPDATE", object{"guild_id": g.data["id"], "stickers": g.data["stickers"]})
}

func (w *world) soundNew(g *guild) {
	s := object{"sound_id": w.id(), "guild_id": g.data["id"], "emoji_id": nil, "available": true, "user": w.maker()}
	w.tune(s)
	add(g.data, "soundboard_sounds", s)
	w.send("GUILD_SOUNDBOARD_SOUND_CREATE", s)
}

func (w *world) tune(s object) {
	s["name"], s["volume"], s["emoji_name"] = w.name("sound"), float64(w.IntN(9))/8, w.maybe("🐇")
}

// soundUpdate changes a sound, or two.
func (w *world) soundUpdate(g *guild) {
	s := w.one(g.data, "soundboard_sounds")
	if s == nil {
		return
	}
	if w.tune(s); w.IntN(2) == 0 {
		w.send("GUILD_SOUNDBOARD_SOUND_UPDATE", s)
		return
	}
	other := w.one(g.data, "soundboard_sounds")
	w.tune(other)
	w.send("GUILD_SOUNDBOARD_SOUNDS_UPDATE", object{"guild_id": g.data["id"], "soundboard_sounds": []any{s, other}})
}

func (w *world) soundDelete(g *guild) {
	if s := w.one(g.data, "soundboard_sounds"); s != nil {
		drop(g.data, "soundboard_sounds", is("sound_id", s["sound_id"]))
		w.send("GUILD_SOUNDBOARD_SOUND_DELETE", object{"guild_id": g.data["id"], "sound_id": s["sound_id"]})
	}
}

// Members.

func (w *world) member(user string) object {
	return object{
		"user": w.users[user], "nick": nil, "avatar": nil, "roles": []any{}, "joined_at": fmt.Sprintf(moment, 1), "premium_since": nil,
		"deaf": false, "mute": false, "flags": 0, "pending": false, "communication_disabled_until": nil,
	}
}

func user(m object) string { return str(m["user"].(object), "id") }

// memberOf returns a user's member of a guild; nil: it is none.
func memberOf(g *guild, id string) object {
	for _, m := range rows(g.data, "members") {
		if user(m) == id {
			return m
		}
	}
	return nil
}

func (w *world) memberNew(g *guild) {
	id := fmt.Sprint(1<<38 + w.IntN(5))
	if memberOf(g, id) != nil {
		return
	}
	m := w.member(id)
	add(g.data, "members", m)
	if w.members {
		w.in(g, "GUILD_MEMBER_ADD", m)
	}
}

// memberUpdate changes a member: the bot's own without the intent, as no event is sent of others.
func (w *world) memberUpdate(g *guild) {
	m := w.one(g.data, "members")
	if !w.members {
		m = memberOf(g, me)
	}
	m["nick"], m["roles"], m["avatar"], m["flags"] = w.maybe(w.name("nick")), w.roles(g), w.maybe("face"), w.IntN(9)
	m["pending"], m["mute"] = w.IntN(2) == 0, w.IntN(2) == 0
	m["communication_disabled_until"] = w.maybe(fmt.Sprintf(moment, 1+w.IntN(9)))
	w.in(g, "GUILD_MEMBER_UPDATE", m)
	// The same in fewer words. Of a member that a new session does not know, these would be all.
	if known := user(m) == me || find(g.data, "voice_states", "user_id", user(m)) != nil; known && w.IntN(2) == 0 {
		w.in(g, "GUILD_MEMBER_UPDATE", m, "nick", "deaf", "mute", "pending")
	}
}

func (w *world) memberRemove(g *guild) {
	m := w.one(g.data, "members")
	id := user(m)
	v := find(g.data, "voice_states", "user_id", id)
	if id == me || !w.members && v == nil {
		return
	}
	drop(g.data, "members", func(o object) bool { return user(o) == id })
	if w.members {
		w.send("GUILD_MEMBER_REMOVE", object{"guild_id": g.data["id"], "user": w.users[id]})
	}
	if v != nil {
		v["member"] = m
		w.voiceLeave(g, v)
	}
}

// rename changes a user's name; each of its guilds sends an event.
func (w *world) rename(*guild) {
	if !w.members && !w.presences {
		return
	}
	id := fmt.Sprint(1<<38 + w.IntN(5))
	// discord.py keeps what it knew of a user in a guild that is not here.
	away := func(g *guild) bool { return g.known && g.state != "here" && memberOf(g, id) != nil }
	if slices.ContainsFunc(w.guilds, away) {
		return
	}
	w.users[id]["username"], w.users[id]["avatar"] = w.name("user"), w.maybe("face")
	for _, g := range w.guilds {
		m := memberOf(g, id)
		if m == nil || g.state != "here" {
			continue
		}
		if w.members {
			w.in(g, "GUILD_MEMBER_UPDATE", m)
		}
		if w.presences {
			w.appears(g, w.users[id])
		}
	}
}

func (w *world) presence(g *guild) {
	if m := w.one(g.data, "members"); w.presences && user(m) != me {
		w.appears(g, object{"id": user(m)})
	}
}

func (w *world) appears(g *guild, user object) {
	w.send("PRESENCE_UPDATE", object{
		"guild_id": g.data["id"], "user": user, "status": []string{"online", "idle", "offline"}[w.IntN(3)], "activities": []any{}, "client_status": object{},
	})
}

// voice has a member join a voice channel, move, mute itself, or leave.
func (w *world) voice(g *guild) {
	m, c := w.one(g.data, "members"), w.one(g.data, "channels", 2, 13)
	if c == nil {
		return
	}
	id := user(m)
	v := find(g.data, "voice_states", "user_id", id)
	if v != nil && w.IntN(3) == 0 {
		w.voiceLeave(g, v)
		return
	}
	if v == nil {
		v = object{"user_id": id, "session_id": w.id(), "deaf": false, "mute": false, "self_deaf": false, "self_video": false}
		add(g.data, "voice_states", v)
	}
	v["channel_id"], v["self_mute"], v["suppress"] = c["id"], w.IntN(2) == 0, c["type"] == 13.0
	v["request_to_speak_timestamp"] = nil
	if delete(v, "self_stream"); w.IntN(3) == 0 {
		v["self_stream"] = true
	}
	w.in(g, "VOICE_STATE_UPDATE", with(v, "member", m))
}

func (w *world) voiceLeave(g *guild, v object) {
	id := str(v, "user_id")
	drop(g.data, "voice_states", is("user_id", id))
	if m := memberOf(g, id); m != nil {
		v["member"] = m
	}
	w.in(g, "VOICE_STATE_UPDATE", with(v, "channel_id", nil))
}

// Stages and scheduled events.

func (w *world) stageNew(g *guild) {
	c := w.one(g.data, "channels", 13)
	if c == nil || find(g.data, "stage_instances", "channel_id", str(c, "id")) != nil {
		return
	}
	s := object{"id": w.id(), "guild_id": g.data["id"], "channel_id": c["id"], "topic": w.name("topic"), "privacy_level": 2, "discoverable_disabled": false, "guild_scheduled_event_id": nil}
	add(g.data, "stage_instances", s)
	w.send("STAGE_INSTANCE_CREATE", s)
}

func (w *world) stageUpdate(g *guild) {
	if s := w.one(g.data, "stage_instances"); s != nil {
		s["topic"] = w.name("topic")
		w.send("STAGE_INSTANCE_UPDATE", s)
	}
}

func (w *world) stageDelete(g *guild) {
	if s := w.one(g.data, "stage_instances"); s != nil {
		drop(g.data, "stage_instances", is("id", s["id"]))
		w.send("STAGE_INSTANCE_DELETE", s)
	}
}

func (w *world) scheduledNew(g *guild) {
	e := object{
		"id": w.id(), "guild_id": g.data["id"], "channel_id": nil, "creator_id": "1", "creator": w.maker(), "name": w.name("event"), "description": w.maybe("about"),
		"scheduled_start_time": fmt.Sprintf(moment, 1), "scheduled_end_time": fmt.Sprintf(moment, 2), "privacy_level": 2, "status": 1.0,
		"entity_type": 3, "entity_id": nil, "entity_metadata": object{"location": "here"}, "image": nil,
	}
	if c := w.one(g.data, "channels", 2); c != nil && w.IntN(2) == 0 {
		e["channel_id"], e["entity_type"], e["entity_metadata"] = c["id"], 2, nil
	}
	add(g.data, "guild_scheduled_events", e)
	w.send("GUILD_SCHEDULED_EVENT_CREATE", e)
}

func (w *world) scheduledUpdate(g *guild) {
	e := w.one(g.data, "guild_scheduled_events")
	if e == nil {
		return
	}
	if e["name"] = w.name("event"); w.IntN(3) == 0 {
		e["status"] = e["status"].(float64) + 1
	}
	if e["status"] == 3.0 {
		drop(g.data, "guild_scheduled_events", is("id", e["id"]))
	}
	w.send("GUILD_SCHEDULED_EVENT_UPDATE", e)
}

func (w *world) scheduledDelete(g *guild) {
	if e := w.one(g.data, "guild_scheduled_events"); e != nil {
		drop(g.data, "guild_scheduled_events", is("id", e["id"]))
		w.send("GUILD_SCHEDULED_EVENT_DELETE", e)
	}
}

func (w *world) scheduledUser(g *guild) {
	if e := w.one(g.data, "guild_scheduled_events"); e != nil {
		kind := []string{"GUILD_SCHEDULED_EVENT_USER_ADD", "GUILD_SCHEDULED_EVENT_USER_REMOVE"}[w.IntN(2)]
		w.send(kind, object{"guild_id": g.data["id"], "guild_scheduled_event_id": e["id"], "user_id": user(w.one(g.data, "members"))})
	}
}

// passing sends an event that changes nothing a new session is given.
func (w *world) passing(g *guild) {
	c, m := w.one(g.data, "channels", 0), w.one(g.data, "members")
	if c == nil {
		return
	}
	kinds := []string{
		"GUILD_INTEGRATIONS_UPDATE", "WEBHOOKS_UPDATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE", "TYPING_START", "INTEGRATION_CREATE",
		"INTEGRATION_UPDATE", "AUTO_MODERATION_RULE_CREATE", "AUTO_MODERATION_RULE_DELETE", "INVITE_CREATE", "INVITE_DELETE",
	}
	kind := kinds[w.IntN(len(kinds))]
	d := object{"channel_id": c["id"], "user": m["user"], "user_id": user(m), "member": m, "timestamp": 1_780_000_000}
	switch kind {
	case "INTEGRATION_CREATE", "INTEGRATION_UPDATE":
		d = object{
			"id": "9", "name": "it", "type": "discord", "enabled": true, "account": object{"id": "9", "name": "it"},
			"application": object{"id": "9", "name": "it", "icon": nil, "description": "", "summary": ""},
		}
	case "AUTO_MODERATION_RULE_CREATE", "AUTO_MODERATION_RULE_DELETE":
		d = object{
			"id": "8", "name": "rule", "creator_id": "1", "event_type": 1, "trigger_type": 1, "trigger_metadata": object{"keyword_filter": []any{"x"}},
			"actions": []any{object{"type": 1, "metadata": object{}}}, "enabled": true, "exempt_roles": []any{}, "exempt_channels": []any{},
		}
	case "INVITE_CREATE", "INVITE_DELETE":
		d = object{
			"channel_id": c["id"], "code": "abc", "created_at": fmt.Sprintf(moment, 1), "max_age": 0, "max_uses": 0, "temporary": false, "uses": 0,
		}
	}
	w.in(g, kind, d)
}
