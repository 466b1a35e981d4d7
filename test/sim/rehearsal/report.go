package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/discluster/control/messages"
)

// Report is the result of a run. Times are from its start.
type Report struct {
	Name           string                `json:"name"`
	Seed           int                   `json:"seed"`
	UntilMS        messages.Milliseconds `json:"until_ms"`
	Machines       int                   `json:"machines"`
	Shards         int                   `json:"shards"`
	MaxConcurrency int                   `json:"max_concurrency"`

	FirstIdentifyMS *messages.Milliseconds `json:"first_identify_ms"` // null: there was none
	// When every shard was READY at once; null: never.
	ReadyMS *messages.Milliseconds `json:"ready_ms"`
	// Shortest time that Discord allows from the first IDENTIFY to the last.
	FloorMS messages.Milliseconds `json:"floor_ms"`
	// Number of shards that are not READY.
	DownAtEnd int `json:"down_at_end"`

	Faults   []Blow   `json:"faults"`
	Downtime Downtime `json:"downtime"`

	Identifies     Identifies `json:"identifies"`
	Resumes        int        `json:"resumes"`
	ResumesRefused int        `json:"resumes_refused"`
	Violations     int        `json:"violations"` // of the identify limit
	Duplicates     int        `json:"duplicates"` // number of times that a shard had two owners

	Events   map[string]int `json:"events"`
	Timeline []*Entry       `json:"timeline"`
	// Missed are the expectations that were not met; empty: none.
	Missed []string `json:"missed"`
}

// Blow is one fault with its consequences.
type Blow struct {
	AtMS messages.Milliseconds `json:"at_ms"`
	What string                `json:"what"`
	// Number of shards that went down before the next fault.
	Shards int `json:"shards"`
	// Noticed is the first event that reports it; null: none did.
	Noticed *Noticed `json:"noticed"`
	// ReadyAfterMS is the time until every shard was READY again; null: never, or none was down.
	ReadyAfterMS *messages.Milliseconds `json:"ready_after_ms"`
}

// Noticed is an event, and how long after the fault it was raised.
type Noticed struct {
	Event   string                `json:"event"`
	AfterMS messages.Milliseconds `json:"after_ms"`
}

// Identifies is the use of the budget.
type Identifies struct {
	Spent       int `json:"spent"`
	Total       int `json:"total"`
	Remaining   int `json:"remaining"`
	TokenResets int `json:"token_resets"` // Discord revoked the token because the budget was overdrawn
}

// missed compares the report with the expectations. Discord's limit is always one of them.
func (e Expect) missed(r *Report) []string {
	missed := []string{}
	want := func(ok bool, format string, args ...any) {
		if !ok {
			missed = append(missed, fmt.Sprintf(format, args...))
		}
	}
	atMost := func(key string, got int, most *int) {
		want(most == nil || got <= *most, "%s %s: there were %s", key, grouped(value(most)), grouped(got))
	}
	want(r.Violations == 0, "no violation of the identify limit: there were %s", grouped(r.Violations))
	switch {
	case e.ReadyWithin == 0:
	case r.ReadyMS == nil:
		want(false, "ready_within %v: every shard was never READY at once", e.ReadyWithin)
	default:
		want(r.ReadyMS.Duration() <= e.ReadyWithin, "ready_within %v: it was %s", e.ReadyWithin, span(*r.ReadyMS))
	}
	want(!e.ReadyAtEnd || r.DownAtEnd == 0, "ready_at_end: %s down", amount(r.DownAtEnd, "shard"))
	want(e.DowntimeMax == nil || r.Downtime.MaxMS.Duration() <= value(e.DowntimeMax), "downtime_max %v: it was %s", value(e.DowntimeMax), span(r.Downtime.MaxMS))
	atMost("shards_down_max", r.Downtime.Shards, e.ShardsDownMax)
	atMost("identifies_max", r.Identifies.Spent, e.IdentifiesMax)
	atMost("duplicates_max", r.Duplicates, e.DuplicatesMax)
	for _, name := range slices.Sorted(maps.Keys(e.Events)) {
		want(r.Events[name] == e.Events[name], "events.%s %d: there were %d", name, e.Events[name], r.Events[name])
	}
	return missed
}

// value returns what a pointer points to, zero for nil.
func value[T int | time.Duration](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// span returns a duration as text: <1ms, 20ms, 4.2s, 10m35.2s.
func span(ms messages.Milliseconds) string {
	d := ms.Duration()
	if d == 0 {
		return "<1ms"
	}
	if d >= time.Second {
		d = d.Round(100 * time.Millisecond)
	}
	return d.String()
}
