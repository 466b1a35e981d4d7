package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// How long CONTROL waits for the answer to a request.
const (
	answerWithin = 10 * time.Second // where CONTROL's own SDK names no timeout_ms

	// A stock Discordoo names none: it rejects a request of its own after 60 s, one for members after
	// 100 s (v0.12.5, LocalIpcServer, ApplicationGuildMembersManager). A partial answer is worth more
	// to it than its own timeout, so the answer leaves a second earlier.
	stockWithin        = 60*time.Second - stockLead
	stockMembersWithin = 100*time.Second - stockLead
	stockLead          = time.Second
)

// AnswerWithin returns how long CONTROL waits for the answers to a request of type t: as long as
// the requester does. asked is the timeout the requester named, 0 for none; stock is true for a
// stock Discordoo.
func AnswerWithin(stock bool, t string, asked time.Duration) time.Duration {
	switch {
	case asked > 0:
		return asked
	case !stock:
		return answerWithin
	case t == messages.TGuildMembers:
		return stockMembersWithin
	}
	return stockWithin
}
