package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// intentsAll has those that requests need.
const intentsAll = 513 | intentMembers | intentVoiceStates | intentPresences

// inGuild identifies, in one guild with a number of members, and reads READY and GUILD_CREATE.
func inGuild(t *testing.T, members, intents int) *bot {
	t.Helper()
	_, base := start(t, Config{Rules: rules.Config{Guilds: 1}, Shape: guilds.Shape{Members: members}})
	b := hello(t, base)
	b.send(`{"op":2,"d":{"token":"good","intents":%d,"shard":[0,1]}}`, intents)
	b.want(0, "READY")
	b.want(0, "GUILD_CREATE")
	return b
}

// Requests of a client, and the events that answer them: type and a part of "d" each. An ACK after
// them shows that no more came.
func TestRequests(t *testing.T) {
	guild, channel := guilds.ID(1), guilds.VoiceChannel(guilds.ID(1))
	user := func(n int) string { return fmt.Sprint(guilds.User(guild, n)) }
	members := func(rest string) string {
		return fmt.Sprintf(`{"op":8,"d":{"guild_id":"%d",%s}}`, guild, rest)
	}
	const chunk = "GUILD_MEMBERS_CHUNK"
	for _, tt := range []struct {
		name, frame string
		intents     int
		want        []string // "TYPE part of d"
	}{
		{"a presence", `{"op":3,"d":{"since":null,"activities":[{"name":"x","type":0}],"status":"dnd","afk":false}}`, intentsAll,
			[]string{`PRESENCE_UPDATE "user":{"id":"81384788765712384"},"guild_id":"4194304","status":"dnd","activities":[{"name":"x","type":0}],"client_status":{"web":"dnd"}`}},
		{"invisible is offline to others", `{"op":3,"d":{"activities":null,"status":"invisible"}}`, intentsAll,
			[]string{`PRESENCE_UPDATE "status":"offline","activities":[],"client_status":{}`}},
		{"a presence without the intent", `{"op":3,"d":{"activities":[],"status":"dnd"}}`, 513, nil},
		{"a voice channel", fmt.Sprintf(`{"op":4,"d":{"guild_id":"%d","channel_id":"%d","self_mute":true,"self_deaf":false}}`, guild, channel), intentsAll,
			[]string{fmt.Sprintf(`VOICE_STATE_UPDATE "guild_id":"%d","channel_id":"%d","user_id":"81384788765712384","member":{"user"`, guild, channel), `VOICE_SERVER_UPDATE "endpoint":null`}},
		{"out of it", fmt.Sprintf(`{"op":4,"d":{"guild_id":"%d","channel_id":null}}`, guild), intentsAll, []string{`VOICE_STATE_UPDATE "channel_id":null`}},
		{"a channel that has no voice", fmt.Sprintf(`{"op":4,"d":{"guild_id":"%d","channel_id":"%d"}}`, guild, guilds.TextChannel(guild, 0)), intentsAll, nil},
		{"all members", members(`"query":"","limit":0,"nonce":"n"`), intentsAll, []string{
			chunk + ` "chunk_index":0,"chunk_count":3,"nonce":"n"`,
			chunk + ` "members":[{"user":{"id":"` + user(1000), chunk + ` "chunk_index":2,"chunk_count":3,"nonce":"n"`}},
		{"all members, without the intent", members(`"query":"","limit":0`), 513, nil},
		{"some by name", members(`"query":"USER 12","limit":2,"presences":true`), intentsAll,
			[]string{chunk + ` "username":"user 12",`, chunk + ` "username":"user 120",`, chunk + ` "presences":[]`}},
		{"by id, and a stranger", members(`"user_ids":["` + user(7) + `",5],"limit":0`), intentsAll,
			[]string{chunk + ` "username":"user 7",`, chunk + ` "chunk_index":0,"chunk_count":1,"not_found":["5"]}`}},
		{"a guild in a list, as some libraries write it", fmt.Sprintf(`{"op":8,"d":{"guild_id":["%d"],"user_ids":%q,"limit":0}}`, guild, user(7)), intentsAll,
			[]string{chunk + ` "username":"user 7",`}},
		{"a nonce that is too long", members(`"user_ids":[],"nonce":"` + strings.Repeat("x", nonceMax+1) + `"`), intentsAll, []string{chunk + ` "chunk_count":1}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := inGuild(t, 2500, tt.intents)
			b.send("%s", tt.frame)
			b.send(`{"op":1,"d":null}`)
			var got []string
			for {
				var f frame
				if err := b.dec.Decode(&f); err != nil {
					t.Fatal(err)
				}
				if f.Op == 11 {
					break
				}
				got = append(got, f.T+" "+string(f.D))
			}
			if len(tt.want) == 0 && len(got) > 0 {
				t.Fatalf("answered by %.300s", got)
			}
			for _, want := range tt.want {
				kind, part, _ := strings.Cut(want, " ")
				found := false
				for _, event := range got {
					found = found || strings.HasPrefix(event, kind+" ") && strings.Contains(event, part)
				}
				if !found {
					t.Errorf("no %s with %s in %.600s", kind, part, got)
				}
			}
		})
	}
}

// Every member comes once, in any number of chunks.
func TestWholeGuild(t *testing.T) {
	for _, members := range []int{1, chunkMax, chunkMax + 1, 2500} {
		b := inGuild(t, members, intentsAll)
		b.send(`{"op":8,"d":{"guild_id":"%d","query":"","limit":0}}`, guilds.ID(1))
		seen := map[string]bool{}
		for last := false; !last; {
			var d guilds.MembersChunk
			if err := json.Unmarshal(b.want(0, "GUILD_MEMBERS_CHUNK").D, &d); err != nil {
				t.Fatal(err)
			}
			if len(d.Members) > chunkMax {
				t.Errorf("%d members in a chunk", len(d.Members))
			}
			for _, m := range d.Members {
				seen[m.User.ID] = true
			}
			last = d.ChunkIndex == d.ChunkCount-1
		}
		if len(seen) != members {
			t.Errorf("%d of %d members came", len(seen), members)
		}
	}
}

func TestMalformedRequests(t *testing.T) {
	for name, f := range map[string]string{
		"no status":            `{"op":3,"d":{"activities":[]}}`,
		"an unknown status":    `{"op":3,"d":{"activities":[],"status":"busy"}}`,
		"activities":           `{"op":3,"d":{"activities":{},"status":"dnd"}}`,
		"no d":                 `{"op":3}`,
		"voice of no guild":    `{"op":4,"d":{"channel_id":null}}`,
		"members of no guild":  `{"op":8,"d":{"query":"","limit":0}}`,
		"of two guilds":        `{"op":8,"d":{"guild_id":["1","2"],"query":"","limit":0}}`,
		"of no id":             `{"op":8,"d":{"guild_id":"x","query":"","limit":0}}`,
		"neither query nor id": `{"op":8,"d":{"guild_id":"4194304","limit":0}}`,
		"a limit below 0":      `{"op":8,"d":{"guild_id":"4194304","query":"","limit":-1}}`,
		"101 ids":              `{"op":8,"d":{"guild_id":"4194304","user_ids":[1` + strings.Repeat(",1", askedMax) + `]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := inGuild(t, 3, intentsAll)
			b.send("%s", f)
			if code, reason := b.closed(); code != 4002 {
				t.Errorf("closed with %d %s, want 4002", code, reason)
			}
		})
	}
}
