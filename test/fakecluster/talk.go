package fakecluster

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/discluster/control/messages"
)

// Voice lets a story send operations as one run of a bot.
type Voice struct{ *bot }

// Cluster returns the id of the bot's cluster.
func (v Voice) Cluster() string { return v.p.Env("CLUSTER_ID") }

// Alive reports whether this run of the bot has a link and is neither dead nor stopped.
func (v Voice) Alive() bool { return v.bot != nil && v.link != nil && v.p.Runs() }

// Say sends an operation and reports whether the bot could.
func (v Voice) Say(op messages.Operation) bool {
	if v.Alive() {
		v.send(op)
	}
	return v.Alive()
}

// AnswerIn answers an operation as usual, after a delay.
func (v Voice) AnswerIn(d time.Duration, op messages.Operation) {
	v.p.After(d, func() {
		if v.Alive() {
			v.answer(op)
		}
	})
}

// operation answers the request of another cluster, unless Hears does.
func (b *bot) operation(m messages.Operation) {
	if b.Hears == nil || !b.Hears(Voice{b}, m) {
		b.answer(m)
	}
}

// answer answers the request of another cluster: evals and requests with the cluster's number,
// cache operations with 1, requests for members with none.
func (b *bot) answer(m messages.Operation) {
	var d struct {
		EventID messages.Snowflake `json:"event_id"`
		Name    *string            `json:"name"`
		Script  *string            `json:"script"`
		Op      *int               `json:"op"`
		GuildID string             `json:"guild_id"`
	}
	if json.Unmarshal(m.Data, &d) != nil {
		return
	}
	answer := messages.Operation{Op: m.Op, T: m.T}
	switch {
	case m.Op == messages.IPCCacheOperate && d.Op != nil:
		if b.silent && *d.Op > messages.CacheOpMax { // a stock one dies of it (PROTOCOL A1)
			b.p.Exit(1, "TypeError: Cannot read properties of undefined\n")
			return
		}
		answer.Data = fmt.Appendf(nil, `{"event_id":%q,"success":true,"result":1}`, d.EventID)
	case m.T == messages.TRequest && d.Name != nil || m.T == messages.TBroadcastEval && d.Script != nil:
		answer.Data = fmt.Appendf(nil, `{"event_id":%q,"result":%s}`, d.EventID, b.p.Env("CLUSTER_ID"))
	case m.T == messages.TGuildMembers && d.GuildID != "":
		answer.Data = fmt.Appendf(nil, `{"event_id":%q,"members":[]}`, d.EventID)
	default:
		return
	}
	b.send(answer)
}

// Send sends any packet.
func (v Voice) Send(m messages.FromInstance) { v.send(m) }
