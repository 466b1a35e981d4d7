package rules

import (
	"cmp"
	"net/http"
	"time"
)

// bucket is one rate limit key, shard_id % max_concurrency, and the last IDENTIFY it let through.
type bucket struct {
	last  time.Time // zero: none so far
	shard int
}

// knownIntents has a bit for each intent of v10 (events/gateway, "List of Intents"); another bit is
// 4013.
const knownIntents = 1<<17 - 1 | 1<<20 | 1<<21 | 1<<24 | 1<<25

// identify checks an IDENTIFY: connection, token, budget, shard, intents and at last the bucket.
// Every IDENTIFY with the right token costs one of the day's, refused or not: the stricter reading.
func (d *Discord) identify(c *conn, in Identify) {
	if !d.mayBegin(c, in.Token) {
		return
	}
	d.score.identified(d.now, in)
	if d.remaining == 0 {
		d.resetToken(c)
		return
	}
	d.remaining--
	if code, reason := d.judge(in); code != 0 {
		d.close(c, code, reason)
		return
	}
	if !d.pass(in) {
		d.output(InvalidSession{Conn: c.id})
		return
	}
	d.begin(c, in)
}

// judge returns the close code for an IDENTIFY's contents, 0 for none.
func (d *Discord) judge(in Identify) (code int, reason string) {
	switch {
	case in.ShardCount < 1 || in.Shard < 0 || in.Shard >= in.ShardCount:
		return CloseInvalidShard, "Invalid shard."
	case d.c.Guilds > largeBotGuilds && in.ShardCount%d.c.ShardCount != 0:
		return CloseInvalidShard, "Invalid shard."
	case (d.c.Guilds+in.ShardCount-1)/in.ShardCount > shardGuildsMax:
		return CloseShardingRequired, "Sharding required."
	case in.Intents&^knownIntents != 0:
		return CloseInvalidIntents, "Invalid intent(s)."
	case in.Intents&d.c.DisallowedIntents != 0:
		return CloseDisallowedIntents, "Disallowed intent(s)."
	}
	return cmp.Or(d.refusals[in.Shard], d.refusals[All]), "Fault."
}

// pass reports whether the shard's bucket is free, and takes it. A refused IDENTIFY does not move
// the window: the next is measured from the last that was let through.
func (d *Discord) pass(in Identify) bool {
	n := in.Shard % d.c.MaxConcurrency
	b := &d.buckets[n]
	if !b.last.IsZero() && d.now.Sub(b.last) < d.c.IdentifyEvery-d.c.Slack {
		d.score.violated(Violation{Bucket: n, Shard: in.Shard, At: d.now, PreviousShard: b.shard, PreviousAt: b.last})
		return false
	}
	*b = bucket{last: d.now, shard: in.Shard}
	return true
}

// bucketsMax limits max_concurrency: a hundred times that of the largest bots.
const bucketsMax = 10_000

// rebucket changes max_concurrency. The last IDENTIFY of each bucket then counts in its shard's new
// bucket.
func (d *Discord) rebucket(maxConcurrency int) {
	d.c.MaxConcurrency = maxConcurrency
	old := d.buckets
	d.buckets = make([]bucket, maxConcurrency)
	for _, b := range old {
		if n := &d.buckets[b.shard%maxConcurrency]; b.last.After(n.last) {
			*n = b
		}
	}
}

// accepts reports whether token is the application's and was not reset.
func (d *Discord) accepts(token string) bool { return !d.refused && token == d.c.Token }

func (d *Discord) badToken(c *conn) {
	d.score.InvalidTokens++
	d.close(c, CloseAuthenticationFailed, "Authentication failed.")
}

// mayBegin reports whether a connection may begin or resume a session with this token; otherwise it
// is closed.
func (d *Discord) mayBegin(c *conn, token string) bool {
	switch {
	case c.session != nil:
		d.close(c, CloseAlreadyAuthenticated, "Already authenticated.")
	case !d.accepts(token):
		d.badToken(c)
	default:
		return true
	}
	return false
}

// resetToken is the effect of the daily limit: "all of your bot's active sessions will be
// terminated, your bot's token will be reset" (events/gateway, "Rate Limiting").
func (d *Discord) resetToken(culprit *conn) {
	d.refused = true
	d.score.TokenResets++
	d.badToken(culprit)
	for _, c := range d.connections(All) {
		if c.session != nil {
			d.close(c, CloseAuthenticationFailed, "Authentication failed.")
		}
	}
	for _, s := range d.waiting(All) {
		d.end(s)
	}
}

// GatewayBot is the body of GET /gateway/bot; the caller fills URL.
type GatewayBot struct {
	URL               string            `json:"url"`
	Shards            int               `json:"shards"`
	SessionStartLimit SessionStartLimit `json:"session_start_limit"`
}

// SessionStartLimit is the day's budget of IDENTIFYs.
type SessionStartLimit struct {
	Total          int   `json:"total"`
	Remaining      int   `json:"remaining"`
	ResetAfter     int64 `json:"reset_after"` // ms
	MaxConcurrency int   `json:"max_concurrency"`
}

// GatewayBot answers GET /gateway/bot at now, with an HTTP status: 200, 401 for a token that
// Discord does not accept (counted), 503 in an outage.
func (d *Discord) GatewayBot(now time.Time, token string) (GatewayBot, int) {
	if d.outage {
		return GatewayBot{}, http.StatusServiceUnavailable
	}
	if !d.accepts(token) {
		d.score.InvalidTokens++
		return GatewayBot{}, http.StatusUnauthorized
	}
	d.renew(now)
	return GatewayBot{Shards: d.c.ShardCount, SessionStartLimit: SessionStartLimit{
		Total:          d.c.IdentifyTotal,
		Remaining:      d.remaining,
		ResetAfter:     d.resetAt.Sub(now).Milliseconds(),
		MaxConcurrency: d.c.MaxConcurrency,
	}}, http.StatusOK
}

// renew starts a new day of the budget when the old one is over.
func (d *Discord) renew(now time.Time) {
	if now.Before(d.resetAt) {
		return
	}
	d.remaining = d.c.IdentifyTotal
	over := now.Sub(d.resetAt)
	d.resetAt = now.Add(d.c.ResetAfter - over%d.c.ResetAfter)
}

// Floor returns the minimum time between the first IDENTIFY and the last when shards 0..count-1 all
// start: the fullest bucket's shards, one every IdentifyEvery.
func (c Config) Floor(count int) time.Duration {
	c = c.withDefaults()
	fullest := (count + c.MaxConcurrency - 1) / c.MaxConcurrency
	return time.Duration(max(fullest-1, 0)) * c.IdentifyEvery
}
