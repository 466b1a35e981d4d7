package rules

import (
	"cmp"
	"slices"
	"time"
)

// listMax limits each list of a Score: the first entries are kept, the totals in Counts continue.
const listMax = 4096

// shardListMax limits the identify times of one shard.
const shardListMax = 64

// Counts is the short form of the score, cheap enough to be read after every step.
type Counts struct {
	Identifies int `json:"identifies"` // with the right token; refused ones too
	// IDENTIFYs within IdentifyEvery of their bucket's last
	Violations  int `json:"violations"`
	Remaining   int `json:"remaining"` // of the day's budget
	TokenResets int `json:"token_resets"`
	// IDENTIFY, RESUME and REST with a token Discord does not accept
	InvalidTokens  int `json:"invalid_tokens"`
	Resumes        int `json:"resumes"`
	ResumesRefused int `json:"resumes_refused"`
	Expired        int `json:"expired"` // sessions that were not resumed in time
	// pairs of sessions of one [shard, count] with a connection each, ever
	Duplicates     int `json:"duplicates"`
	DuplicatesOpen int `json:"duplicates_open"` // now
	RateLimited    int `json:"rate_limited"`    // connections closed with 4008
	TimedOut       int `json:"timed_out"`       // connections closed for missing heartbeats
	Connections    int `json:"connections"`     // open now
	Sessions       int `json:"sessions"`        // alive now
	// of those, with a connection: the shards that are served
	Owned  int        `json:"owned"`
	Events EventCount `json:"events_total"`
}

// Score is everything that Discord has seen. Lists are bounded (the first entries are kept); Counts
// has the totals.
type Score struct {
	Counts
	Start        time.Time    `json:"start"`
	Now          time.Time    `json:"now"` // of the last step
	ViolationLog []Violation  `json:"violation_log"`
	DuplicateLog []Duplicate  `json:"duplicate_log"` // ended ones, then those that last
	ResumeLog    []Resumption `json:"resume_log"`
	Shards       []ShardScore `json:"shards"`       // by count, then shard
	ShardEvents  []EventScore `json:"shard_events"` // by shard
}

// Violation is an IDENTIFY that came too early for its bucket.
type Violation struct {
	Bucket        int       `json:"bucket"`
	Shard         int       `json:"shard"`
	At            time.Time `json:"at"`
	PreviousShard int       `json:"previous_shard"`
	PreviousAt    time.Time `json:"previous_at"`
}

// Duplicate is a time in which two sessions of the same [shard, count] both had a connection. To is
// zero while it lasts.
type Duplicate struct {
	Shard      int       `json:"shard"`
	ShardCount int       `json:"shard_count"`
	Sessions   [2]string `json:"sessions"` // the older owner first
	Conns      [2]Conn   `json:"conns"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to,omitzero"`
}

// Resumption is a RESUME that was granted; At − LostAt is the time without events.
type Resumption struct {
	Shard      int       `json:"shard"`
	ShardCount int       `json:"shard_count"`
	LostAt     time.Time `json:"lost_at"`
	At         time.Time `json:"at"`
	TakenOver  bool      `json:"taken_over"` // the session still had another connection
	Replayed   int       `json:"replayed"`   // events sent before RESUMED
}

// ShardScore is the history of one [shard, count].
type ShardScore struct {
	Shard      int         `json:"shard"`
	ShardCount int         `json:"shard_count"`
	Identifies int         `json:"identifies"`
	IdentifyAt []time.Time `json:"identify_at"` // the first 64
	FirstReady time.Time   `json:"first_ready,omitzero"`
	LastReady  time.Time   `json:"last_ready,omitzero"`
	Readies    int         `json:"readies"`
	Resumes    int         `json:"resumes"`
}

// EventCount counts numbered events: Emitted = Delivered + Lost + those still kept for a RESUME.
type EventCount struct {
	Emitted   int64 `json:"emitted"`
	Delivered int64 `json:"delivered"` // written to a connection, for the first time
	Replayed  int64 `json:"replayed"`  // written again because a RESUME named a seq before it
	Doubled   int64 `json:"doubled"`   // written to a second session
	Lost      int64 `json:"lost"`      // never written, and no session left to write it
}

// EventScore is the EventCount of one shard.
type EventScore struct {
	Shard int `json:"shard"`
	EventCount
}

// AllReady returns the moment at which each of the shards 0..count-1 had been READY once; false
// while one has not.
func (s Score) AllReady(count int) (time.Time, bool) {
	var last time.Time
	ready := 0
	for _, sh := range s.Shards {
		if sh.ShardCount != count || sh.FirstReady.IsZero() {
			continue
		}
		ready++
		if sh.FirstReady.After(last) {
			last = sh.FirstReady
		}
	}
	return last, ready == count
}

// FirstIdentify returns the moment of the first IDENTIFY; false: there was none.
func (s Score) FirstIdentify() (first time.Time, was bool) {
	for _, sh := range s.Shards {
		if len(sh.IdentifyAt) > 0 && (!was || sh.IdentifyAt[0].Before(first)) {
			first, was = sh.IdentifyAt[0], true
		}
	}
	return first, was
}

// Counts returns the short form of the score.
func (d *Discord) Counts() Counts {
	c := d.score.Counts
	c.Remaining = d.remaining
	c.Connections = len(d.conns)
	c.Sessions = len(d.sessions)
	c.DuplicatesOpen = len(d.score.doubles)
	return c
}

// Score returns everything seen so far; the caller owns it.
func (d *Discord) Score() Score {
	l := &d.score
	s := Score{
		Counts: d.Counts(), Start: l.start, Now: d.now,
		ViolationLog: append([]Violation{}, l.violations...), // never nil: [] in JSON
		DuplicateLog: append(append([]Duplicate{}, l.duplicates...), l.doubles...),
		ResumeLog:    append([]Resumption{}, l.resumptions...),
		Shards:       make([]ShardScore, 0, len(l.shards)),
		ShardEvents:  make([]EventScore, 0, len(d.numbers)),
	}
	for _, sh := range l.shards {
		sh := *sh
		sh.IdentifyAt = slices.Clone(sh.IdentifyAt)
		s.Shards = append(s.Shards, sh)
	}
	slices.SortFunc(s.Shards, func(a, b ShardScore) int {
		return cmp.Or(cmp.Compare(a.ShardCount, b.ShardCount), cmp.Compare(a.Shard, b.Shard))
	})
	for _, shard := range d.known {
		s.ShardEvents = append(s.ShardEvents, EventScore{shard, *d.numbers[shard]})
	}
	return s
}
