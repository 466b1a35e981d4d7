package guilds

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// paths lists the keys of a JSON value, as "roles[].colors.primary_color"; of a list those of its
// first element.
func paths(v any, at string, into *[]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, of := range v {
			paths(of, strings.TrimPrefix(at+"."+key, "."), into)
		}
	case []any:
		if len(v) > 0 {
			paths(v[0], at+"[]", into)
			return
		}
		*into = append(*into, at+"[]")
	default:
		*into = append(*into, at)
	}
}

// The keys of everything that a library reads: without one of them some library fails.
func TestObjects(t *testing.T) {
	shape, guild := Shape{}, ID(3)
	channel := VoiceChannel(guild)
	for name, v := range map[string]any{
		"guild_create": shape.Create(guild, []VoiceState{{UserID: "1", SessionID: "x"}}),
		"channel":      shape.ChannelList(guild, true),
		"message":      shape.Numbered(guild, 1, 7),
		"sent":         Sent(1<<partBits, channel, "hello"),
		"self":         Self(),
		"chunk":        MembersChunk{Members: shape.MemberList(guild, 0, 1), NotFound: []string{"1"}, Presences: &[]struct{}{}, Nonce: "n"},
		"presence":     BotPresence(guild, "dnd", []json.RawMessage{}),
		"voice":        shape.BotVoice(guild, channel, false, false),
		"voice_server": NoVoiceServer(guild),
	} {
		t.Run(name, func(t *testing.T) {
			var decoded any
			if err := json.Unmarshal(JSON(v), &decoded); err != nil {
				t.Fatal(err)
			}
			var keys []string
			paths(decoded, "", &keys)
			slices.Sort(keys)
			got := strings.Join(keys, "\n") + "\n"
			path := "testdata/" + name + ".keys"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("keys of %s are\n%s\nwant\n%s(UPDATE=1 accepts them)", name, got, want)
			}
		})
	}
}

// Every object of a guild has an id of its own, which contains its guild.
func TestIDs(t *testing.T) {
	shape := Shape{Members: 400, Channels: 20, Roles: 30}
	seen := map[string]string{}
	for k := 1; k <= 3; k++ {
		guild := ID(k)
		c := shape.Create(guild, nil)
		ids := map[string]string{}
		for _, r := range c.Roles {
			ids[r.ID] = "role " + r.Name
		}
		for _, ch := range c.Channels {
			ids[ch.ID] = "channel " + ch.Name
		}
		for _, m := range shape.MemberList(guild, 1, 1000) {
			ids[m.User.ID] = m.User.Username
		}
		if want := 31 + 22 + 399; len(ids) != want || len(c.Members) != membersSent || !c.Large || c.MemberCount != 400 {
			t.Errorf("guild %d: %d ids, want %d; %d members of %d", k, len(ids), want, len(c.Members), c.MemberCount)
		}
		for id, name := range ids {
			if other, twice := seen[id]; twice {
				t.Errorf("%s is %s and %s", id, name, other)
			}
			seen[id] = name
		}
		if n, ok := shape.ByUser(guild, User(guild, 7)); n != 7 || !ok {
			t.Errorf("user 7 is member %d, %t", n, ok)
		}
		for _, stranger := range []uint64{0, 1, guild, User(ID(9), 1), User(guild, 400), TextChannel(guild, 1)} {
			if n, ok := shape.ByUser(guild, stranger); ok {
				t.Errorf("%d is member %d of guild %d", stranger, n, k)
			}
		}
		for _, id := range []uint64{TextChannel(guild, 19), VoiceChannel(guild)} {
			if of, ok := shape.InChannel(id); of != guild || !ok {
				t.Errorf("channel %d is of %d, %t", id, of, ok)
			}
		}
		for _, id := range []uint64{0, guild, TextChannel(guild, 20), User(guild, 1)} {
			if of, ok := shape.InChannel(id); ok {
				t.Errorf("channel %d is of %d", id, of)
			}
		}
	}
}

func TestFirst(t *testing.T) {
	for _, tt := range []struct{ shard, count, guilds, k int }{
		{0, 1, 0, 0}, {0, 1, 1, 1}, {0, 4, 3, 0}, {0, 4, 4, 4}, {1, 4, 1, 1}, {3, 4, 2, 0},
	} {
		if got := First(tt.shard, tt.count, tt.guilds); got != ID(tt.k) {
			t.Errorf("shard %d of %d with %d guilds writes in %d, want guild %d", tt.shard, tt.count, tt.guilds, Number(got), tt.k)
		}
	}
}

func TestValidate(t *testing.T) {
	for want, shape := range map[string]Shape{
		"": {Members: MembersMax, Channels: ChannelsMax, Roles: RolesMax},
		"-1 members in a guild, want 0 (default) to 500000": {Members: -1},
		"499 channels in a guild, want 0 (default) to 498":  {Channels: 499},
		"250 roles in a guild, want 0 (default) to 249":     {Roles: 250},
	} {
		got := ""
		if err := shape.Validate(); err != nil {
			got = fmt.Sprint(err)
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", shape, got, want)
		}
	}
}

// BenchmarkCreate measures a guild of the default shape when a bot connects.
func BenchmarkCreate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(JSON(Shape{}.Create(ID(3), nil)))))
	}
}
