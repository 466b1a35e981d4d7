//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
)

// steps are what may happen in a guild that is here; what happens often is there more than once.
var steps = []func(*world, *guild){
	(*world).guildUpdate, (*world).userUpdate,
	(*world).channelNew, (*world).channelUpdate, (*world).channelUpdate, (*world).channelDelete, (*world).pins, (*world).voiceStatus,
	(*world).message, (*world).message, (*world).message, (*world).messageDelete,
	(*world).threadNew, (*world).threadNew, (*world).threadUpdate, (*world).threadUpdate, (*world).threadBack, (*world).threadDelete,
	(*world).threadSync, (*world).threadMember, (*world).threadMembers, (*world).threadMembers,
	(*world).roleNew, (*world).roleUpdate, (*world).roleDelete, (*world).roleOrder,
	(*world).emojis, (*world).stickers, (*world).soundNew, (*world).soundUpdate, (*world).soundDelete,
	(*world).memberNew, (*world).memberNew, (*world).memberUpdate, (*world).memberUpdate, (*world).memberRemove, (*world).rename,
	(*world).voice, (*world).voice, (*world).voice, (*world).presence,
	(*world).stageNew, (*world).stageUpdate, (*world).stageDelete,
	(*world).scheduledNew, (*world).scheduledUpdate, (*world).scheduledDelete, (*world).scheduledUser,
	(*world).passing,
}

// Channels.

func (w *world) channelNew(g *guild) {
	w.channelCreate(g, []float64{0, 2, 4, 5, 13, 15}[w.IntN(6)])
}

func (w *world) channelCreate(g *guild, kind float64) {
	c := object{"id": w.id(), "type": kind, "position": w.IntN(9), "flags": 0, "parent_id": nil}
	if kind != 4 {
		if parent := w.one(g.data, "channels", 4); parent != nil {
			c["parent_id"] = parent["id"]
		}
		c["nsfw"], c["rate_limit_per_user"], c["last_message_id"] = false, 0, nil
	}
	switch kind {
	case 2, 13:
		c["bitrate"], c["user_limit"], c["rtc_region"], c["video_quality_mode"] = 64000, 0, nil, 1
	case 15:
		c["available_tags"], c["default_reaction_emoji"], c["default_sort_order"], c["default_forum_layout"] = []any{}, nil, nil, 0
	}
	w.change(g, c)
	add(g.data, "channels", c)
	w.in(g, "CHANNEL_CREATE", c)
}

// change changes what an owner may change of a channel.
func (w *world) change(g *guild, c object) {
	c["name"] = w.name("channel")
	c["permission_overwrites"] = []any{}
	if r := w.one(g.data, "roles"); r != nil && w.IntN(2) == 0 {
		c["permission_overwrites"] = []any{object{"id": r["id"], "type": 0, "allow": "1024", "deny": "0"}}
	}
	switch c["type"] {
	case 0.0, 5.0, 15.0:
		c["topic"], c["rate_limit_per_user"] = w.maybe(w.name("topic")), w.IntN(9)
	case 2.0, 13.0:
		c["user_limit"] = w.IntN(9)
	}
}

func (w *world) channelUpdate(g *guild) {
	c := w.one(g.data, "channels")
	if c == nil {
		return
	}
	w.change(g, c)
	switch {
	case w.IntN(3) == 0 && (c["type"] == 0.0 || c["type"] == 5.0):
		c["type"] = 5 - c["type"].(float64)
		w.in(g, "CHANNEL_UPDATE", c)
	case w.IntN(2) == 0:
		w.in(g, "CHANNEL_UPDATE", c, "last_message_id", "last_pin_timestamp", "status", "voice_start_time")
	default:
		w.in(g, "CHANNEL_UPDATE", c, "status", "voice_start_time")
	}
}

// channelDelete sends events about those who were in the channel and what named it, and none about
// its threads, stage and scheduled events.
func (w *world) channelDelete(g *guild) {
	c := w.one(g.data, "channels")
	if c == nil || w.IntN(2) == 0 {
		return
	}
	id := c["id"]
	drop(g.data, "channels", is("id", id))
	drop(g.data, "threads", is("parent_id", id))
	g.archived = slices.DeleteFunc(g.archived, is("parent_id", id))
	drop(g.data, "stage_instances", is("channel_id", id))
	drop(g.data, "guild_scheduled_events", is("channel_id", id))
	w.in(g, "CHANNEL_DELETE", c)
	for _, v := range rows(g.data, "voice_states") {
		if v["channel_id"] == id {
			w.voiceLeave(g, v)
		}
	}
	for _, child := range rows(g.data, "channels") {
		if child["parent_id"] == id {
			child["parent_id"] = nil
			w.in(g, "CHANNEL_UPDATE", child)
		}
	}
	for _, key := range []string{"afk_channel_id", "system_channel_id"} {
		if g.data[key] == id {
			g.data[key] = nil
			w.guildUpdate(g)
		}
	}
}

// written picks a channel or thread that has messages.
func (w *world) written(g *guild) object {
	if t := w.one(g.data, "threads"); t != nil && w.IntN(2) == 0 {
		return t
	}
	return w.one(g.data, "channels", 0, 2, 5, 13)
}

// moment is a time on a day.
const moment = "2026-08-0%dT12:00:00+00:00"

func (w *world) pins(g *guild) {
	if c := w.written(g); c != nil && c["type"] != 2.0 && c["type"] != 13.0 {
		c["last_pin_timestamp"] = w.maybe(fmt.Sprintf(moment, 1+w.IntN(9)))
		w.send("CHANNEL_PINS_UPDATE", object{"guild_id": g.data["id"], "channel_id": c["id"], "last_pin_timestamp": c["last_pin_timestamp"]})
	}
}

func (w *world) voiceStatus(g *guild) {
	if c := w.one(g.data, "channels", 2); c != nil {
		w.send("VOICE_CHANNEL_STATUS_UPDATE", object{"guild_id": g.data["id"], "id": c["id"], "status": w.maybe("busy")})
	}
}

func (w *world) message(g *guild) {
	c, m := w.written(g), w.one(g.data, "members")
	if c == nil {
		return
	}
	id, channel := w.id(), str(c, "id")
	g.messages[channel], c["last_message_id"] = append(g.messages[channel], id), id
	if n, ok := c["total_message_sent"].(int); ok {
		c["total_message_sent"], c["message_count"] = n+1, c["message_count"].(int)+1
	}
	member := maps.Clone(m)
	delete(member, "user")
	w.send("MESSAGE_CREATE", object{
		"id": id, "type": 0, "channel_id": channel, "guild_id": g.data["id"], "author": m["user"], "member": member, "content": `{"id":"5"} \`,
		"timestamp": fmt.Sprintf(moment, 1), "edited_timestamp": nil, "tts": false, "mention_everyone": false, "mentions": []any{},
		"mention_roles": []any{}, "attachments": []any{}, "embeds": []any{}, "components": []any{}, "pinned": false, "flags": 0,
	})
}

func (w *world) messageDelete(g *guild) {
	c := w.written(g)
	if c == nil {
		return
	}
	channel := str(c, "id")
	ids := g.messages[channel]
	n := min(len(ids), 1+w.IntN(3))
	if n == 0 {
		return
	}
	g.messages[channel] = ids[n:]
	if count, ok := c["message_count"].(int); ok {
		c["message_count"] = count - n
	}
	if n == 1 {
		w.send("MESSAGE_DELETE", object{"id": ids[0], "channel_id": channel, "guild_id": g.data["id"]})
		return
	}
	w.send("MESSAGE_DELETE_BULK", object{"ids": ids[:n], "channel_id": channel, "guild_id": g.data["id"]})
}

// Threads.

// parents are the types of channels that have threads, and the types of these.
var parents = map[float64]float64{0: 11, 5: 10, 15: 11}

func (w *world) threadNew(g *guild) {
	if parent := w.one(g.data, "channels", 0, 5, 15); parent != nil {
		w.threadIn(g, parent)
	}
}

func (w *world) threadIn(g *guild, parent object) {
	t := object{
		"id": w.id(), "type": parents[parent["type"].(float64)], "parent_id": parent["id"], "owner_id": "1", "name": w.name("thread"), "last_message_id": nil,
		"message_count": 0, "member_count": 1, "total_message_sent": 0, "rate_limit_per_user": 0, "flags": 0, "applied_tags": []any{},
		"thread_metadata": object{
			"archived": false, "auto_archive_duration": 60, "archive_timestamp": fmt.Sprintf(moment, 1), "locked": false, "create_timestamp": fmt.Sprintf(moment, 1),
		},
	}
	if w.IntN(4) == 0 && parent["type"] == 0.0 {
		t["type"] = 12
	}
	newly := t["type"] != 12 && w.IntN(3) > 0 // else the bot was added to it
	if newly && parent["type"] == 15.0 {
		parent["last_message_id"] = t["id"]
	}
	if !newly {
		t["member"] = w.joining()
	}
	add(g.data, "threads", t)
	w.in(g, "THREAD_CREATE", with(t, "newly_created", newly))
}

func with(o object, key string, value any) object {
	o = maps.Clone(o)
	o[key] = value
	return o
}

// joining is the bot's membership of a thread.
func (w *world) joining() object {
	return object{"flags": w.IntN(9), "join_timestamp": fmt.Sprintf(moment, 1+w.IntN(9))}
}

func (w *world) threadUpdate(g *guild) {
	t := w.one(g.data, "threads")
	if t == nil {
		return
	}
	meta := maps.Clone(t["thread_metadata"].(object))
	t["thread_metadata"] = meta
	t["name"], t["rate_limit_per_user"], meta["locked"] = w.name("thread"), w.IntN(9), w.IntN(2) == 0
	if w.IntN(3) == 0 {
		meta["archived"] = true
		drop(g.data, "threads", is("id", t["id"]))
		g.archived = append(g.archived, t)
	}
	without := []string{"member"}
	if w.IntN(2) == 0 {
		without = append(without, "last_message_id")
	}
	w.in(g, "THREAD_UPDATE", t, without...)
	if meta["archived"] == true && t["member"] != nil {
		w.left[str(t, "id")] = len(w.events)
	}
}

// threadBack takes a thread out of the archive.
func (w *world) threadBack(g *guild) {
	if len(g.archived) == 0 {
		return
	}
	i := w.IntN(len(g.archived))
	t := g.archived[i]
	g.archived = slices.Delete(g.archived, i, i+1)
	t["thread_metadata"] = with(t["thread_metadata"].(object), "archived", false)
	add(g.data, "threads", t)
	w.in(g, "THREAD_UPDATE", t, "member")
	if left := w.left[str(t, "id")]; left > 0 {
		w.back = append(w.back, [2]int{left, len(w.events)})
	}
	delete(w.left, str(t, "id"))
}

func (w *world) threadDelete(g *guild) {
	if t := w.one(g.data, "threads"); t != nil {
		drop(g.data, "threads", is("id", t["id"]))
		w.send("THREAD_DELETE", object{"id": t["id"], "guild_id": g.data["id"], "parent_id": t["parent_id"], "type": t["type"]})
	}
}

// threadSync sends the threads of a channel, or of all channels, as the bot may see more of them
// now. One is new to it, and one may be gone: of a forum, as discord.js does not find those of a
// channel that has changed its type.
func (w *world) threadSync(g *guild) {
	parent := w.one(g.data, "channels", 0, 5, 15)
	if parent == nil {
		return
	}
	if gone := w.one(g.data, "threads"); gone != nil && gone["parent_id"] == parent["id"] && parent["type"] == 15.0 {
		drop(g.data, "threads", is("id", gone["id"]))
	}
	sent := len(w.events)
	w.threadIn(g, parent)
	w.events = w.events[:sent]
	d := object{"guild_id": g.data["id"], "threads": []any{}, "members": []any{}}
	if w.IntN(2) == 0 {
		d["channel_ids"] = []any{parent["id"]}
	}
	for _, t := range rows(g.data, "threads") {
		if d["channel_ids"] != nil && t["parent_id"] != parent["id"] {
			continue
		}
		bare := with(t, "guild_id", g.data["id"])
		delete(bare, "member")
		add(d, "threads", bare)
		if m, ok := t["member"].(object); ok {
			add(d, "members", object{"id": t["id"], "user_id": me, "flags": m["flags"], "join_timestamp": m["join_timestamp"]})
		}
	}
	w.send("THREAD_LIST_SYNC", d)
}

func (w *world) threadMember(g *guild) {
	if t := w.one(g.data, "threads"); t != nil && t["member"] != nil {
		t["member"] = w.joining()
		w.in(g, "THREAD_MEMBER_UPDATE", with(with(t["member"].(object), "id", t["id"]), "user_id", me))
	}
}

func (w *world) threadMembers(g *guild) {
	t := w.one(g.data, "threads")
	if t == nil {
		return
	}
	m := w.one(g.data, "members")
	id := str(m["user"].(object), "id")
	t["member_count"] = 1 + w.IntN(9)
	d := object{"guild_id": g.data["id"], "id": t["id"], "member_count": t["member_count"]}
	switch {
	case id == me && t["member"] != nil && t["type"] != 12:
		delete(t, "member")
		fallthrough
	case w.IntN(2) == 0 && id != me:
		d["removed_member_ids"] = []any{id}
	default:
		joined := w.joining()
		if id == me {
			t["member"] = maps.Clone(joined)
		}
		joined["id"], joined["user_id"], joined["member"], joined["presence"] = t["id"], id, m, nil
		d["added_members"] = []any{joined}
	}
	w.send("THREAD_MEMBERS_UPDATE", d)
}
