package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// How long the answer to a request is waited for.
const (
	answerWithin = 10 * time.Second // where an SDK of ours names no timeout_ms

	// A stock Discordoo names none: it rejects a request of its own after 60 s, one for members after
	// 100 s (v0.12.5, LocalIpcServer, ApplicationGuildMembersManager). What its manager has by then is
	// worth more to it than a timeout of its own, so the answer leaves a second earlier.
	stockWithin        = 60*time.Second - stockLead
	stockMembersWithin = 100*time.Second - stockLead
	stockLead          = time.Second
)

// AnswerWithin returns how long CONTROL waits for the answers to a request of type t: as long as
// the asker does. asked is the timeout it named, 0 for none; stock says that it is a stock
// Discordoo.
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
