// Package guilds renders the guilds of the simulated Discord: guild k, from 1 on, with its
// channels, roles, members and messages.
//
// Everything is a function of the guild's id and its Shape, so that an unused guild costs no
// memory. Objects have every field that Discord sends and that some library reads
// (https://discord.com/developers/docs/resources/guild and its neighbours, v10).
package guilds

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"
)

// Shape sizes every guild. Zero fields take the named default.
type Shape struct {
	Members  int // the bot and users; 3
	Channels int // text channels, beside one category and one voice channel; 2
	Roles    int // beside @everyone; 2
}

// Limits of a Shape, as at Discord (which can raise a guild's members).
const (
	MembersMax  = 500_000
	ChannelsMax = 498 // 500 with the two others
	RolesMax    = 249 // 250 with @everyone
)

// Validate returns an error for a Shape that no guild of Discord has.
func (s Shape) Validate() error {
	for _, f := range []struct {
		name   string
		n, max int
	}{{"members", s.Members, MembersMax}, {"channels", s.Channels, ChannelsMax}, {"roles", s.Roles, RolesMax}} {
		if f.n < 0 || f.n > f.max {
			return fmt.Errorf("%d %s in a guild, want 0 (default) to %d", f.n, f.name, f.max)
		}
	}
	return nil
}

// withDefaults fills the zero fields.
func (s Shape) withDefaults() Shape {
	return Shape{Members: cmp.Or(s.Members, 3), Channels: cmp.Or(s.Channels, 2), Roles: cmp.Or(s.Roles, 2)}
}

// MemberCount returns the number of a guild's members.
func (s Shape) MemberCount() int { return s.withDefaults().Members }

// ID returns the id of guild k, which belongs to shard k mod shard_count.
func ID(k int) uint64 { return uint64(k) << partBits }

// Number returns k of the guild that an object belongs to. Other ids have no meaning here.
func Number(id uint64) int { return int(id >> partBits) }

// First returns the guild of a shard's numbered messages: the first of the shard's guilds, 0
// without one.
func First(shard, count, guilds int) uint64 {
	k := shard
	if k == 0 {
		k = count
	}
	if k > guilds {
		return 0
	}
	return ID(k)
}

// Objects of a guild have the guild's id in their upper bits, as if all had been made in one
// millisecond: kind and number are the lower 22.
const (
	partBits   = 22
	kindBits   = 3
	numberBits = partBits - kindBits // 524,288 of a kind, more than MembersMax
)

// Kinds of objects.
const (
	kindGuild = iota // number 0: the guild, and @everyone
	kindRole
	kindCategory
	kindText
	kindVoice
	kindUser
)

func part(guild uint64, kind, n int) uint64 {
	return guild&^(1<<partBits-1) | uint64(kind)<<numberBits | uint64(n)
}

// is reports whether id is an object of the kind, and its number.
func is(id uint64, kind int) (n int, ok bool) {
	low := id & (1<<partBits - 1)
	return int(low & (1<<numberBits - 1)), int(low>>numberBits) == kind && Number(id) > 0
}

// Bot is the id of the application and of its user, which are the same for every application made
// since 2016.
const Bot = 81384788765712384

// TokenPrefix returns the beginning of a token in Discord's form, the bot's id in base64: some
// libraries read the application's id there.
func TokenPrefix() string { return base64.RawStdEncoding.EncodeToString([]byte(Text(Bot))) + "." }

// User returns the user id of member n of a guild; member 0 is the bot.
func User(guild uint64, n int) uint64 {
	if n == 0 {
		return Bot
	}
	return part(guild, kindUser, n)
}

// TextChannel returns the id of a guild's text channel n, from 0 on.
func TextChannel(guild uint64, n int) uint64 { return part(guild, kindText, n) }

// VoiceChannel returns the id of a guild's voice channel.
func VoiceChannel(guild uint64) uint64 { return part(guild, kindVoice, 0) }

// discordEpoch is the epoch of the timestamps in snowflakes, in ms of Unix time.
const discordEpoch = 1_420_070_400_000

// stamp returns the moment in a snowflake, in Discord's form.
func stamp(id uint64) string {
	return time.UnixMilli(int64(id>>partBits) + discordEpoch).UTC().Format("2006-01-02T15:04:05.000000+00:00")
}

// At returns the lowest id of a moment.
func At(t time.Time) uint64 { return uint64(max(t.UnixMilli()-discordEpoch, 0)) << partBits }

// Text returns an id in JSON's form.
func Text(id uint64) string { return strconv.FormatUint(id, 10) }
