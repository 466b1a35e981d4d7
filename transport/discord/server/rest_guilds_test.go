package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// Requests and messages of a bot about guilds: each row one request, by an id of guild 2, and a
// part of its answer.
func TestGuildRoutes(t *testing.T) {
	guild := guilds.ID(2)
	ids := strings.NewReplacer("GUILD", guilds.Text(guild), "TEXT", guilds.Text(guilds.TextChannel(guild, 1)), "VOICE", guilds.Text(guilds.VoiceChannel(guild)),
		"USER", guilds.Text(guilds.User(guild, 2)), "BOT", guilds.Text(guilds.Bot), "OTHER", guilds.Text(guilds.ID(3)))
	tests := []struct {
		name, method, path, body string
		status                   int
		has                      string
	}{
		{"own guilds", "GET", "/users/@me/guilds", "", 200, `"id":"GUILD","name":"guild 2"`},
		{"own guilds after", "GET", "/users/@me/guilds?after=GUILD", "", 200, `[]`},
		{"too many", "GET", "/users/@me/guilds?limit=201", "", 400, `limit 1 to 200`},
		{"guild", "GET", "/guilds/GUILD", "", 200, `"id":"GUILD","name":"guild 2"`},
		{"no guild", "GET", "/guilds/OTHER", "", 404, `{"message":"Unknown Guild","code":10004}`},
		{"an id that is none", "GET", "/guilds/x", "", 404, `{"message":"Unknown Guild","code":10004}`},
		{"channels", "GET", "/guilds/GUILD/channels", "", 200, `"id":"TEXT","type":0,"guild_id":"GUILD","name":"text-1"`},
		{"roles", "GET", "/guilds/GUILD/roles", "", 200, `"id":"GUILD","name":"@everyone"`},
		{"first member", "GET", "/guilds/GUILD/members", "", 200, `[{"user":{"id":"BOT"`},
		{"members", "GET", "/guilds/GUILD/members?limit=1000", "", 200, `{"user":{"id":"USER"`},
		{"members after the last", "GET", "/guilds/GUILD/members?after=USER", "", 200, `[]`},
		{"member", "GET", "/guilds/GUILD/members/USER", "", 200, `{"user":{"id":"USER"`},
		{"no member", "GET", "/guilds/GUILD/members/7", "", 404, `{"message":"Unknown Member","code":10007}`},
		{"user", "GET", "/users/USER", "", 200, `{"id":"USER"`},
		{"no user", "GET", "/users/7", "", 404, `{"message":"Unknown User","code":10013}`},
		{"channel", "GET", "/channels/VOICE", "", 200, `{"id":"VOICE","type":2,"guild_id":"GUILD"`},
		{"no channel", "GET", "/channels/7", "", 404, `{"message":"Unknown Channel","code":10003}`},
		{"message", "POST", "/channels/TEXT/messages", `{"content":"hello","nonce":"n"}`, 200, `"channel_id":"TEXT","author":{"id":"BOT"`},
		{"an empty message", "POST", "/channels/TEXT/messages", `{}`, 400, `"code":50006`},
		{"a long message", "POST", "/channels/TEXT/messages", `{"content":"` + strings.Repeat("ä", 2001) + `"}`, 400, `2000 or fewer`},
		{"no JSON", "POST", "/channels/TEXT/messages", `{`, 400, `"code":50035`},
		{"a message to no channel", "POST", "/channels/7/messages", `{"content":"x"}`, 404, `Unknown Channel`},
		{"typing", "POST", "/channels/TEXT/typing", "", 204, ""},
		{"global commands", "PUT", "/applications/BOT/commands", `[{"name":"ping","description":"pings"}]`, 200, `"application_id":"BOT"`},
		{"commands of a guild", "PUT", "/applications/BOT/guilds/GUILD/commands", `[{"name":"ping"}]`, 200, `"guild_id":"GUILD"`},
		{"commands of no guild", "PUT", "/applications/BOT/guilds/OTHER/commands", `[]`, 404, `Unknown Guild`},
		{"commands of another", "PUT", "/applications/7/commands", `[]`, 404, `Unknown Application`},
		{"a command without a name", "PUT", "/applications/BOT/commands", `[{}]`, 400, `name: Must be`},
	}
	_, base := start(t, Config{Rules: rules.Config{Guilds: 2}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := call(t, tt.method, base+"/api/v10"+ids.Replace(tt.path), "Bot good", tt.body)
			if status != tt.status || !strings.Contains(body, ids.Replace(tt.has)) {
				t.Errorf("got %d %s, want %d %s", status, body, tt.status, ids.Replace(tt.has))
			}
			if status, _ := call(t, tt.method, base+"/api/v10"+ids.Replace(tt.path), "Bot bad", tt.body); status != 401 {
				t.Errorf("a wrong token: %d, want 401", status)
			}
		})
	}
}

// The shard that has the guild gets a message of the bot, and no other; it is counted, but not
// among the emitted events.
func TestMessageIsHeard(t *testing.T) {
	s, base := start(t, Config{Rules: rules.Config{Guilds: 2, ShardCount: 2, MaxConcurrency: 2}})
	b, other := hello(t, base), hello(t, base)
	for shard, bot := range []*bot{b, other} {
		bot.ready(shard, 2)
		bot.want(0, "GUILD_CREATE")
	}
	guild := guilds.ID(2)
	_, sent := call(t, "POST", base+"/api/v10/channels/"+guilds.Text(guilds.TextChannel(guild, 0))+"/messages", "Bot good", `{"content":"hello"}`)
	var m, heard guilds.MessageObject
	must(t, json.Unmarshal([]byte(sent), &m))
	must(t, json.Unmarshal(b.want(0, "MESSAGE_CREATE").D, &heard))
	if heard.ID != m.ID || heard.Content != "hello" || heard.GuildID != guilds.Text(guild) || heard.Member == nil || m.GuildID != "" {
		t.Errorf("heard %+v of %+v", heard, m)
	}
	other.send(`{"op":1,"d":null}`)
	other.want(11, "")
	if stats := s.Stats(); stats.MessagesSent != 1 || stats.Events.Emitted != 0 {
		t.Errorf("%d messages sent, %d events emitted", stats.MessagesSent, stats.Events.Emitted)
	}
}

// Commands are kept by scope; one that is registered again keeps its id.
func TestCommands(t *testing.T) {
	s, base := start(t, Config{Rules: rules.Config{Guilds: 1}})
	at := base + "/api/v10/applications/" + guilds.Text(guilds.Bot)
	ids := func(method, path, body string) (ids []string) {
		t.Helper()
		status, text := call(t, method, at+path, "Bot good", body)
		if status != 200 {
			t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
		var list []struct{ ID string }
		must(t, json.Unmarshal([]byte(text), &list))
		for _, c := range list {
			ids = append(ids, c.ID)
		}
		return ids
	}
	inGuild := "/guilds/" + guilds.Text(guilds.ID(1)) + "/commands"
	first := ids("PUT", "/commands", `[{"name":"a"},{"name":"b"}]`)
	ids("PUT", inGuild, `[{"name":"a"}]`)
	again := ids("PUT", "/commands", `[{"name":"b"},{"name":"c"},{"name":"b","type":2}]`)
	if again[0] != first[1] || again[1] == first[0] || again[2] == again[0] {
		t.Errorf("ids %v, then %v", first, again)
	}
	if _, text := call(t, "POST", at+"/commands", "Bot good", `{"name":"c","description":"other"}`); !strings.Contains(text, again[1]) {
		t.Errorf("c is %s, want the id %s", text, again[1])
	}
	if status, _ := call(t, "DELETE", at+"/commands/"+again[0], "Bot good", ""); status != 204 {
		t.Errorf("delete: %d", status)
	}
	if status, _ := call(t, "DELETE", at+"/commands/"+again[0], "Bot good", ""); status != 404 {
		t.Errorf("delete again: %d", status)
	}
	if n := len(ids("GET", "/commands", "")); n != 2 || len(ids("GET", inGuild, "")) != 1 || s.Stats().Commands != 3 {
		t.Errorf("%d global commands, %d in all", n, s.Stats().Commands)
	}
}
