package guilds

import (
	"encoding/json"
	"strconv"
	"strings"
)

// MembersChunk is the "d" of a GUILD_MEMBERS_CHUNK (events/gateway-events).
type MembersChunk struct {
	GuildID    string   `json:"guild_id"`
	Members    []Member `json:"members"`
	ChunkIndex int      `json:"chunk_index"`
	ChunkCount int      `json:"chunk_count"`
	NotFound   []string `json:"not_found,omitempty"`
	// empty where requested: no member is online
	Presences *[]struct{} `json:"presences,omitempty"`
	Nonce     string      `json:"nonce,omitempty"`
}

// Presence is the "d" of a PRESENCE_UPDATE (events/gateway-events).
type Presence struct {
	User         PresenceUser      `json:"user"`
	GuildID      string            `json:"guild_id"`
	Status       string            `json:"status"`
	Activities   []json.RawMessage `json:"activities"`
	ClientStatus map[string]string `json:"client_status"`
}

// PresenceUser is the user of a presence.
type PresenceUser struct {
	ID string `json:"id"`
}

// BotPresence returns the bot's presence in a guild.
func BotPresence(guild uint64, status string, activities []json.RawMessage) Presence {
	p := Presence{User: PresenceUser{Text(Bot)}, GuildID: Text(guild), Status: status, Activities: activities, ClientStatus: map[string]string{}}
	if status == "invisible" {
		p.Status = "offline" // for all others
	}
	if p.Status != "offline" {
		p.ClientStatus["web"] = p.Status
	}
	return p
}

// BotVoice returns the bot's voice state in a guild; channel 0: in none.
func (s Shape) BotVoice(guild, channel uint64, mute, deaf bool) VoiceState {
	member := s.Member(guild, 0)
	v := VoiceState{GuildID: Text(guild), UserID: Text(Bot), Member: &member, SessionID: BotName, SelfMute: mute, SelfDeaf: deaf}
	if channel != 0 {
		id := Text(channel)
		v.ChannelID = &id
	}
	return v
}

// VoiceServer is the "d" of a VOICE_SERVER_UPDATE. There is no voice server here: without an
// endpoint a client waits for the next one.
type VoiceServer struct {
	Token    string  `json:"token"`
	GuildID  string  `json:"guild_id"`
	Endpoint *string `json:"endpoint"`
}

// NoVoiceServer returns the VOICE_SERVER_UPDATE of a guild whose voice server is away.
func NoVoiceServer(guild uint64) VoiceServer {
	return VoiceServer{Token: BotName, GuildID: Text(guild)}
}

// Named returns the numbers of up to limit members whose username begins with prefix, ignoring
// case.
func (s Shape) Named(prefix string, limit int) (numbers []int) {
	prefix = strings.ToLower(prefix)
	for n := 0; n < s.MemberCount() && len(numbers) < limit; n++ {
		if strings.HasPrefix(username(n), prefix) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// username returns the name of member n of any guild.
func username(n int) string {
	if n == 0 {
		return BotName
	}
	return "user " + strconv.Itoa(n)
}
