package rules

import (
	"encoding/json"
	"time"

	"github.com/discluster/control/transport/discord/guilds"
)

// Request is an op that Discord answers with events of the same session: a presence (3), a voice
// state (4), members (8). A guild that the session does not have, and missing intents, leave it
// without an answer, as at Discord.
type Request struct {
	Conn    Conn
	Op      int
	Guild   uint64 // guild of the events; 0: every guild of the session
	Intents int64  // required of the session
	// all members of the guild: once in WholeEvery, else the answer is RATE_LIMITED
	Whole   bool
	Nonce   string   // of a request for members
	Answers []Answer // in order
}

// Answer is one event that answers a Request.
type Answer struct {
	Type string
	Body any // from which the caller renders "d"; not read here
}

// WholeEvery is the interval at which a bot may request all members of one guild
// (events/gateway-events, "Request Guild Members").
const WholeEvery = 30 * time.Second

// request answers a client's request, on its session alone.
func (d *Discord) request(c *conn, in Request) {
	s := c.session
	switch {
	case s == nil:
		d.close(c, CloseNotAuthenticated, "Not authenticated.")
	case s.intents&in.Intents != in.Intents:
	case in.Guild == 0:
		for _, id := range d.guildsOf(s) {
			d.answer(s, id, in.Answers)
		}
	case !d.has(s, in.Guild):
	case in.Whole && d.now.Before(d.whole[in.Guild]):
		d.dispatch(s, &event{typ: "RATE_LIMITED", data: d.rateLimited(in)})
	default:
		if in.Whole {
			d.whole[in.Guild] = d.now.Add(WholeEvery)
		}
		d.answer(s, in.Guild, in.Answers)
	}
}

func (d *Discord) answer(s *session, guild uint64, answers []Answer) {
	for _, a := range answers {
		d.dispatch(s, &event{guild: guild, typ: a.Type, body: a.Body})
	}
}

// rateLimited returns the "d" of a RATE_LIMITED (events/gateway-events, "Rate Limited").
func (d *Discord) rateLimited(in Request) []byte {
	type meta struct {
		Guild uint64 `json:"guild_id,string"`
		Nonce string `json:"nonce,omitempty"`
	}
	data, _ := json.Marshal(struct { // of plain fields: no error
		Opcode     int     `json:"opcode"`
		RetryAfter float64 `json:"retry_after"` // seconds
		Meta       meta    `json:"meta"`
	}{in.Op, d.whole[in.Guild].Sub(d.now).Seconds(), meta{in.Guild, in.Nonce}})
	return data
}

// guildsOf lists the guilds of a session.
func (d *Discord) guildsOf(s *session) (ids []uint64) {
	for k := s.shard; k <= d.c.Guilds; k += s.count {
		if k > 0 {
			ids = append(ids, guilds.ID(k))
		}
	}
	return ids
}

// has reports whether a guild is one of the session's.
func (d *Discord) has(s *session, guild uint64) bool {
	k := guilds.Number(guild)
	return k > 0 && k <= d.c.Guilds && guild == guilds.ID(k) && k%s.count == s.shard
}
