package guilds

import (
	"encoding/json"
	"strconv"
)

// membersSent limits the members in a GUILD_CREATE: Discord's default large_threshold. A guild with
// more is large, and op 8 requests the rest.
const membersSent = 50

// Channel types (resources/channel, "Channel Types").
const (
	typeText     = 0
	typeVoice    = 2
	typeCategory = 4
)

// Permissions: those of @everyone in a new guild, and none.
const (
	everyonePermissions = "2248473465835073"
	noPermissions       = "0"
)

// Guild returns the guild with an id of ID.
func (s Shape) Guild(id uint64) Guild {
	system := Text(TextChannel(id, 0))
	return Guild{
		ID: Text(id), Name: "guild " + strconv.Itoa(Number(id)), OwnerID: Text(User(id, min(1, s.MemberCount()-1))), Region: "deprecated",
		AFKTimeout: 300, Features: []string{}, SystemChannelID: &system,
		MaxMembers: MembersMax, MaxVideoChannelUsers: 25, MaxStageVideoChannelUsers: 50, PreferredLocale: "en-US",
		Roles: s.RoleList(id), Emojis: []struct{}{}, Stickers: []struct{}{},
	}
}

// Create returns the "d" of a guild's GUILD_CREATE, with the given voice states (without guild_id
// and member).
func (s Shape) Create(id uint64, voice []VoiceState) Created {
	count := s.MemberCount()
	c := Created{
		Guild: s.Guild(id), JoinedAt: stamp(id), Large: count > membersSent, Lazy: true, MemberCount: count,
		Members: s.MemberList(id, 0, membersSent), Channels: s.ChannelList(id, false), VoiceStates: voice,
		Threads: []struct{}{}, Presences: []struct{}{}, StageInstances: []struct{}{}, GuildScheduledEvents: []struct{}{}, SoundboardSounds: []struct{}{},
	}
	if voice == nil {
		c.VoiceStates = []VoiceState{}
	}
	return c
}

// RoleList returns a guild's roles, @everyone first.
func (s Shape) RoleList(id uint64) []Role {
	everyone := Role{ID: Text(id), Name: "@everyone", Permissions: everyonePermissions}
	roles := []Role{everyone}
	for n := 1; n <= s.withDefaults().Roles; n++ {
		roles = append(roles, Role{ID: Text(part(id, kindRole, n)), Name: "role " + strconv.Itoa(n), Position: n, Permissions: noPermissions})
	}
	return roles
}

// ChannelList returns a guild's channels: a category, the text channels and a voice channel in it.
// withGuild adds the guild_id to each, as in REST.
func (s Shape) ChannelList(id uint64, withGuild bool) []Channel {
	category := part(id, kindCategory, 0)
	parent := Text(category)
	all := []Channel{channel(category, typeCategory, "channels")}
	for n := range s.withDefaults().Channels {
		c := channel(TextChannel(id, n), typeText, "text-"+strconv.Itoa(n))
		c.Position, c.ParentID = n, &parent
		all = append(all, c)
	}
	voice := channel(VoiceChannel(id), typeVoice, "voice")
	voice.ParentID, voice.Bitrate, voice.UserLimit = &parent, 64_000, new(int)
	all = append(all, voice)
	if withGuild {
		for i := range all {
			all[i].GuildID = Text(id)
		}
	}
	return all
}

func channel(id uint64, kind int, name string) Channel {
	return Channel{ID: Text(id), Type: kind, Name: name, PermissionOverwrites: []struct{}{}}
}

// Member returns member n of a guild: the bot for 0, then users. Every second one has the first
// role.
func (s Shape) Member(guild uint64, n int) Member {
	user := userObject(User(guild, n), username(n), n == 0)
	m := Member{User: &user, Roles: []string{}, JoinedAt: stamp(guild)}
	if n%2 == 1 && s.withDefaults().Roles > 0 {
		m.Roles = []string{Text(part(guild, kindRole, 1))}
	}
	return m
}

// MemberList returns up to limit members of a guild, from member n on.
func (s Shape) MemberList(guild uint64, n, limit int) []Member {
	end := min(s.MemberCount(), n+limit)
	list := make([]Member, 0, max(end-n, 0))
	for ; n < end; n++ {
		list = append(list, s.Member(guild, n))
	}
	return list
}

// ByUser returns the number of a user in the guild; false for a user that is not a member.
func (s Shape) ByUser(guild, user uint64) (n int, ok bool) {
	if user == Bot {
		return 0, true
	}
	n, ok = is(user, kindUser)
	return n, ok && Number(user) == Number(guild) && n > 0 && n < s.MemberCount()
}

// InChannel returns the guild of a text or voice channel; false where no guild has such a channel.
func (s Shape) InChannel(channel uint64) (guild uint64, ok bool) {
	n, isText := is(channel, kindText)
	ok = isText && n < s.withDefaults().Channels || channel == VoiceChannel(channel) && Number(channel) > 0
	return ID(Number(channel)), ok
}

// Numbered returns the "d" of the MESSAGE_CREATE that is a shard's n-th event: its content is n,
// its author the guild's first user. Without a guild (0) it is in a private channel.
func (s Shape) Numbered(guild uint64, shard int, n int64) MessageObject {
	id := uint64(n)<<partBits | uint64(shard+1)&(1<<partBits-1)
	m := message(id, uint64(shard+1), strconv.FormatInt(n, 10))
	if guild == 0 {
		m.Author = Owner()
		return m
	}
	member := s.Member(guild, min(1, s.MemberCount()-1))
	m.Author, member.User = *member.User, nil
	m.ChannelID, m.GuildID, m.Member = Text(TextChannel(guild, 0)), Text(guild), &member
	return m
}

// Sent returns a message of the bot.
func Sent(id, channel uint64, content string) MessageObject {
	m := message(id, channel, content)
	m.Author = Self().UserObject
	return m
}

func message(id, channel uint64, content string) MessageObject {
	return MessageObject{
		ID: Text(id), ChannelID: Text(channel), Content: content, Timestamp: stamp(id),
		Mentions: []struct{}{}, MentionRoles: []struct{}{}, Attachments: []struct{}{}, Embeds: []any{}, Components: []any{},
	}
}

// JSON returns v as the "d" of a dispatch; the values of this package can always be encoded.
func JSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("guilds: " + err.Error())
	}
	return b
}
