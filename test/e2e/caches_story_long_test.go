//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/discluster/control/transport/discord/guilds"
)

// dispatch is one event of Discord, with "d" as JSON.
type dispatch struct{ kind, d string }

type object = map[string]any

// world is a Discord of a few guilds in which things happen at random, and the events that it sends
// of them. It is consistent, as Discord is: an event is about what there is. Three things that
// Discord does are left out, because a bot that sees them knows less than a new one: a
// GUILD_MEMBER_ADD for a known member, changes of members without an event, and changes in a guild
// while it is unavailable.
type world struct {
	*rand.Rand
	members, presences bool // the privileged intents
	guilds             []*guild
	users              map[string]object
	steps              []func(*world, *guild) // that happen here
	ids                int                    // of the newest object
	events             []dispatch

	// left are the events by which threads that the bot is a member of went into the archive, back
	// those by which they came back: a session that begins in between is never given its member.
	left map[string]int
	back [][2]int
}

// guild is one of the world's.
type guild struct {
	state    string // "here", "away" (unavailable), "left"
	known    bool   // it was here once
	data     object // its own fields, and the lists of a GUILD_CREATE
	archived []object
	messages map[string][]string // by channel
}

const me = "81384788765712384" // guilds.Bot

// newWorld makes guilds in which much has happened.
func newWorld(r *rand.Rand, members, presences bool) *world {
	w := &world{Rand: r, members: members, presences: presences, users: map[string]object{}, left: map[string]int{}, ids: 1 << 40}
	w.users[me] = decoded(guilds.Self())
	w.users[me]["discriminator"] = "0001"
	for n := range 5 {
		u := decoded(guilds.Owner())
		u["id"], u["username"], u["discriminator"] = strconv.Itoa(1<<38+n), fmt.Sprint("user ", n), "0"
		w.users[str(u, "id")] = u
	}
	for k := 1; k <= 3; k++ {
		g := &guild{state: "here", data: decoded(guilds.Shape{}.Create(guilds.ID(k), nil)), messages: map[string][]string{}}
		g.data["members"], g.data["owner_id"] = []any{w.member(me)}, "1"
		w.guilds = append(w.guilds, g)
		for _, kind := range []float64{5, 13, 15} {
			w.channelCreate(g, kind)
		}
		for range 4 {
			w.memberNew(g)
			w.voice(g)
		}
		for range 20 {
			steps[w.IntN(len(steps))](w, g)
		}
	}
	w.cut()
	w.guilds[2].state = "left"
	w.events, w.left, w.back = nil, map[string]int{}, nil
	for len(w.steps) == 0 { // a few kinds, so that they meet
		for _, step := range steps {
			if w.IntN(4) == 0 {
				w.steps = append(w.steps, step)
			}
		}
	}
	return w
}

func decoded(v any) (o object) {
	if err := json.Unmarshal(guilds.JSON(v), &o); err != nil {
		panic(err)
	}
	return o
}

func str(o object, key string) string { s, _ := o[key].(string); return s }

// begin sends READY and the guilds.
func (w *world) begin(session string) {
	var all []object
	for _, g := range w.guilds {
		if g.state == "here" {
			all = append(all, object{"id": g.data["id"], "unavailable": true})
		}
	}
	w.send("READY", object{
		"v": 10, "user": w.users[me], "guilds": all, "session_id": session, "resume_gateway_url": "wss://gateway.example",
		"application": object{"id": me, "flags": 0}, "private_channels": []any{},
	})
	for _, g := range w.guilds {
		if g.state == "here" {
			w.guildCreate(g, false)
		}
	}
}

// send adds an event.
func (w *world) send(kind string, d object) {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	w.events = append(w.events, dispatch{kind, string(b)})
}

// in sends an event that is an object of a guild.
func (w *world) in(g *guild, kind string, o object, without ...string) {
	d := maps.Clone(o)
	d["guild_id"] = g.data["id"]
	for _, key := range without {
		delete(d, key)
	}
	w.send(kind, d)
}

// step lets one thing happen.
func (w *world) step() {
	g := w.guilds[w.IntN(len(w.guilds))]
	switch {
	case g.state != "here":
		if w.IntN(4) == 0 {
			w.guildCreate(g, g.state == "left")
			g.state = "here"
		}
	case w.IntN(40) == 0:
		w.leaves(g)
		d := object{"id": g.data["id"]}
		if g.state = "left"; w.IntN(3) > 0 {
			g.state, d["unavailable"] = "away", true
		}
		w.send("GUILD_DELETE", d)
	default:
		w.steps[w.IntN(len(w.steps))](w, g)
	}
}

// leaves ends the bot's own voice connection, as Discord does with one that is dead.
func (w *world) leaves(g *guild) {
	if v := find(g.data, "voice_states", "user_id", me); v != nil && g.state == "here" {
		w.voiceLeave(g, v)
	}
}

// cut answers the host, which has the dead bot leave its voice channels.
func (w *world) cut() {
	for _, g := range w.guilds {
		w.leaves(g)
	}
}

func (w *world) id() string { w.ids++; return strconv.Itoa(w.ids) }

func (w *world) name(of string) string { return fmt.Sprint(of, " ", w.IntN(99)) }

// maybe returns a value, or null.
func (w *world) maybe(v any) any {
	if w.IntN(3) == 0 {
		return nil
	}
	return v
}

// Lists of a guild.

func rows(o object, list string) (all []object) {
	l, _ := o[list].([]any)
	for _, v := range l {
		all = append(all, v.(object))
	}
	return all
}

func find(o object, list, key, id string) object {
	for _, item := range rows(o, list) {
		if item[key] == id {
			return item
		}
	}
	return nil
}

func add(o object, list string, item object) { l, _ := o[list].([]any); o[list] = append(l, item) }

func drop(o object, list string, gone func(object) bool) (dropped []object) {
	l, _ := o[list].([]any)
	o[list] = slices.DeleteFunc(slices.Clone(l), func(v any) bool {
		if gone(v.(object)) {
			dropped = append(dropped, v.(object))
			return true
		}
		return false
	})
	return dropped
}

// is returns a function that recognises an object by a field.
func is(key string, value any) func(object) bool {
	return func(o object) bool { return o[key] == value }
}

// one picks an object of a list, of some kinds if any are named; nil: there is none.
func (w *world) one(o object, list string, kinds ...float64) object {
	all := rows(o, list)
	if kinds != nil {
		all = slices.DeleteFunc(all, func(o object) bool { return !slices.Contains(kinds, o["type"].(float64)) })
	}
	if len(all) == 0 {
		return nil
	}
	return all[w.IntN(len(all))]
}

// Guilds.

func (w *world) guildCreate(g *guild, joined bool) {
	g.known = true
	d := maps.Clone(g.data)
	d["member_count"] = len(rows(d, "members"))
	if !w.presences { // only the bot and those in voice channels
		drop(d, "members", func(m object) bool {
			id := str(m["user"].(object), "id")
			return id != me && find(g.data, "voice_states", "user_id", id) == nil
		})
	}
	if delete(d, "unavailable"); !joined {
		d["unavailable"] = false
	}
	w.send("GUILD_CREATE", d)
}

// created are the fields of a GUILD_CREATE that a GUILD_UPDATE does not have.
var created = []string{
	"channels", "threads", "members", "voice_states", "presences", "stage_instances", "guild_scheduled_events",
	"soundboard_sounds", "joined_at", "large", "member_count", "unavailable", "lazy",
}

func (w *world) guildUpdate(g *guild) {
	for _, change := range []func(){
		func() { g.data["name"] = w.name("guild") },
		func() { g.data["icon"] = w.maybe("icon") },
		func() { g.data["description"] = w.maybe(w.name("about")) },
		func() { g.data["features"] = []any{w.name("F")} },
		func() { g.data["afk_timeout"] = 60 * w.IntN(9) },
		func() {
			if c := w.one(g.data, "channels", 2); c != nil {
				g.data["afk_channel_id"] = c["id"]
			}
		},
	} {
		if w.IntN(3) == 0 {
			change()
		}
	}
	d := maps.Clone(g.data)
	for _, key := range created {
		delete(d, key)
	}
	w.send("GUILD_UPDATE", d)
}

func (w *world) userUpdate(*guild) {
	u := w.users[me] // of every own member, too
	u["username"], u["global_name"] = w.name("bot"), w.maybe("Bot")
	w.send("USER_UPDATE", u)
}
