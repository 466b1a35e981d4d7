package plan

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/discluster/control/messages"
)

// closeCodeText matches how stock Discordoo words a fatal close. It sends no code beside the text
// (PROTOCOL A3.4).
var closeCodeText = regexp.MustCompile(`received close code (\d{4})`)

// FatalCode returns the close code of a bot's failure that no restart repairs, or 0: from the SDK
// by code, from stock Discordoo by its text. A token that REST refused is 4004.
func FatalCode(e messages.FailureError) int {
	code := e.Code
	if m := closeCodeText.FindStringSubmatch(e.Message); code == 0 && m != nil {
		code, _ = strconv.Atoi(m[1])
	}
	if code == 0 && strings.Contains(e.Message, "Invalid token provided") {
		code = 4004
	}
	if !messages.FatalCode(code) {
		return 0
	}
	return code
}

// fatalHints holds what an operator has to change after a fatal close code (Discord docs, Gateway
// Close Event Codes).
var fatalHints = map[int]string{
	4004: "Discord does not accept the token: set discord.token to the bot's current one, from Discord's developer portal, and restart MASTER",
	4010: "Discord does not accept this shard: fleet.shards has to change, to the number that Discord recommends or, for a very large bot, a multiple of it; 0 asks Discord",
	4011: "the bot is in too many guilds for this number of shards: fleet.shards has to be raised, at least to the number that Discord recommends; 0 asks Discord",
	4012: "the bot's library speaks a version of the gateway that Discord no longer has: update the library, then `control restart` the cluster",
	4013: "the bot's intents are no valid number: correct them in the bot, then `control resume-fleet`",
	4014: "the bot asks for privileged intents that it was not granted: enable them in Discord's developer portal, or drop them in the bot, then `control resume-fleet`",
}

// FatalHint returns what an operator has to change after a fatal close code; "" for any other.
func FatalHint(code int) string { return fatalHints[code] }

// WrongSharding reports whether a close code means that the number of shards has to change.
func WrongSharding(code int) bool { return code == 4010 || code == 4011 }
