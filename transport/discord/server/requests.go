package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// Intents that requests, or their answers, need (events/gateway, "List of Intents").
const (
	intentMembers     = 1 << 1
	intentVoiceStates = 1 << 7
	intentPresences   = 1 << 8
)

// Limits of op 8 (events/gateway-events, "Request Guild Members").
const (
	chunkMax = 1000 // members of one GUILD_MEMBERS_CHUNK
	askedMax = 100  // members by name, or user ids, of one request
	nonceMax = 32   // bytes; a longer one is ignored
)

// body is the Body of an Answer. It is rendered when it is written, once for each guild.
type body interface {
	render(guild uint64, shape guilds.Shape) any
}

// decodeRequest reads the "d" of an op that Discord answers with events; false for a malformed one.
func decodeRequest(op int, raw json.RawMessage, shape guilds.Shape) (rules.Request, bool) {
	in := rules.Request{Op: op}
	ok := false
	switch op {
	case opPresence:
		ok = decodePresence(raw, &in)
	case opVoiceState:
		ok = decodeVoiceState(raw, &in)
	case opRequestMembers:
		ok = decodeMembers(raw, shape, &in)
	}
	return in, ok
}

// presence is the presence that the bot has set.
type presence struct {
	Status     string            `json:"status"`
	Activities []json.RawMessage `json:"activities"` // sent to others unchanged
}

func (p presence) render(guild uint64, _ guilds.Shape) any {
	return guilds.BotPresence(guild, p.Status, p.Activities)
}

func decodePresence(raw json.RawMessage, in *rules.Request) bool {
	p := presence{}
	if json.Unmarshal(raw, &p) != nil || !slices.Contains([]string{"online", "dnd", "idle", "invisible", "offline"}, p.Status) {
		return false
	}
	if p.Activities == nil {
		p.Activities = []json.RawMessage{}
	}
	in.Intents = intentPresences
	in.Answers = []rules.Answer{{Type: "PRESENCE_UPDATE", Body: p}}
	return true
}

// voice is the voice channel that the bot requests.
type voice struct {
	Guild   idField  `json:"guild_id"`
	Channel *idField `json:"channel_id"` // null: in none
	Mute    bool     `json:"self_mute"`
	Deaf    bool     `json:"self_deaf"`
}

func (v voice) render(guild uint64, shape guilds.Shape) any {
	channel := uint64(0)
	if v.Channel != nil {
		channel = uint64(*v.Channel)
	}
	return shape.BotVoice(guild, channel, v.Mute, v.Deaf)
}

// noVoiceServer answers a bot that joins a channel.
type noVoiceServer struct{}

func (noVoiceServer) render(guild uint64, _ guilds.Shape) any { return guilds.NoVoiceServer(guild) }

func decodeVoiceState(raw json.RawMessage, in *rules.Request) bool {
	v := voice{}
	if json.Unmarshal(raw, &v) != nil || v.Guild == 0 {
		return false
	}
	in.Guild, in.Intents = uint64(v.Guild), intentVoiceStates
	switch {
	case v.Channel == nil:
		in.Answers = []rules.Answer{{Type: "VOICE_STATE_UPDATE", Body: v}}
	// another channel is ignored, as at Discord
	case uint64(*v.Channel) == guilds.VoiceChannel(in.Guild):
		in.Answers = []rules.Answer{{Type: "VOICE_STATE_UPDATE", Body: v}, {Type: "VOICE_SERVER_UPDATE", Body: noVoiceServer{}}}
	}
	return true
}

// chunk is a GUILD_MEMBERS_CHUNK: the members From to Until, or those of Numbers.
type chunk struct {
	index, count int
	from, until  int
	numbers      []int
	notFound     []string
	presences    bool
	nonce        string
}

func (c chunk) render(guild uint64, shape guilds.Shape) any {
	m := guilds.MembersChunk{
		GuildID: guilds.Text(guild), Members: shape.MemberList(guild, c.from, c.until-c.from),
		ChunkIndex: c.index, ChunkCount: c.count, NotFound: c.notFound, Nonce: c.nonce,
	}
	for _, n := range c.numbers {
		m.Members = append(m.Members, shape.Member(guild, n))
	}
	if c.presences {
		m.Presences = &[]struct{}{}
	}
	return m
}

func decodeMembers(raw json.RawMessage, shape guilds.Shape, in *rules.Request) bool {
	var d struct {
		Guild     oneOrMore `json:"guild_id"`
		Query     *string   `json:"query"`
		Limit     int       `json:"limit"`
		Users     oneOrMore `json:"user_ids"`
		Presences bool      `json:"presences"`
		Nonce     string    `json:"nonce"`
	}
	if json.Unmarshal(raw, &d) != nil || len(d.Guild) != 1 || d.Limit < 0 || d.Query == nil && d.Users == nil || len(d.Users) > askedMax {
		return false
	}
	if len(d.Nonce) > nonceMax {
		d.Nonce = ""
	}
	in.Guild, in.Nonce = uint64(d.Guild[0]), d.Nonce
	if d.Presences {
		in.Intents = intentPresences
	}
	all := chunk{count: 1, presences: d.Presences, nonce: d.Nonce}
	switch {
	case d.Users != nil:
		all.numbers, all.notFound = byUsers(shape, in.Guild, d.Users)
	case *d.Query != "" || d.Limit > 0:
		all.numbers = shape.Named(*d.Query, min(cmp.Or(d.Limit, askedMax), askedMax))
	default:
		in.Whole = true
		in.Intents |= intentMembers
		in.Answers = wholeGuild(all, shape.MemberCount())
		return true
	}
	in.Answers = []rules.Answer{{Type: "GUILD_MEMBERS_CHUNK", Body: all}}
	return true
}

// wholeGuild returns the answer with every member of a guild, chunk by chunk.
func wholeGuild(like chunk, members int) []rules.Answer {
	like.count = (members + chunkMax - 1) / chunkMax
	answers := make([]rules.Answer, like.count)
	for i := range answers {
		like.index, like.from, like.until = i, i*chunkMax, min((i+1)*chunkMax, members)
		answers[i] = rules.Answer{Type: "GUILD_MEMBERS_CHUNK", Body: like}
	}
	return answers
}

func byUsers(shape guilds.Shape, guild uint64, users []idField) (numbers []int, notFound []string) {
	for _, user := range users {
		if n, ok := shape.ByUser(guild, uint64(user)); ok {
			numbers = append(numbers, n)
		} else {
			notFound = append(notFound, guilds.Text(uint64(user)))
		}
	}
	return numbers, notFound
}

// idField is an id in a payload, a string as Discord writes it, or a number.
type idField uint64

// UnmarshalJSON accepts both.
func (s *idField) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(string(bytes.Trim(b, `"`)), 10, 64)
	*s = idField(n)
	return err
}

// oneOrMore is an id or a list of them: Discord accepts either.
type oneOrMore []idField

// UnmarshalJSON accepts both, and leaves nil for null.
func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	if b[0] == '[' || string(b) == "null" {
		return json.Unmarshal(b, (*[]idField)(o))
	}
	one := make([]idField, 1)
	*o = one
	return json.Unmarshal(b, &one[0])
}
