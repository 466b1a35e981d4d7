package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

// GatewayBot is Discord's answer about a bot: how many shards it should have, and how many of them
// may identify (Discord docs, Get Gateway Bot).
type GatewayBot struct {
	Shards           int // that Discord recommends, ≥ 1
	Total, Remaining int // identifies a day, and of today's
	ResetAfter       time.Duration
	MaxConcurrency   int // identifies per 5 s, ≥ 1
}

// GatewayBotPath is the path of the request, below Discord's address.
const GatewayBotPath = "/api/v10/gateway/bot"

// HTTP statuses with a meaning of their own, and HTTP's format of a date.
const (
	statusOK          = 200
	statusLimited     = 429
	statusUnavailable = 503
	httpDate          = "Mon, 02 Jan 2006 15:04:05 GMT"
)

// Bounds of Discord's values, beside messages.CountMax: far beyond the largest bots.
const (
	concurrencyMax = 10_000
	totalMax       = 100_000_000
	resetMax       = 48 * time.Hour
)

// GatewayBotError is an unusable answer of Discord.
type GatewayBotError struct {
	Status int
	Why    string        // what is wrong with it, with the value
	Wait   time.Duration // how long Discord must not be asked; 0: no rule
	Stated bool          // whether Discord asked for Wait
}

func (e *GatewayBotError) Error() string {
	text := fmt.Sprintf("Discord: GET %s: status %d: %s", GatewayBotPath, e.Status, e.Why)
	switch {
	case e.Stated:
		text += fmt.Sprintf("; it wants not to be asked for %v", e.Wait.Round(time.Second))
	case e.Wait > 0:
		text += "; it does not say for how long"
	}
	return text
}

// ReadGatewayBot reads an answer to GET GatewayBotPath: its status, its headers by their canonical
// names, its body. An unusable answer is a GatewayBotError.
func ReadGatewayBot(status int, header map[string]string, body []byte, now time.Time) (g GatewayBot, err error) {
	if status != statusOK {
		return g, unusable(status, header, body, now)
	}
	var answer struct {
		Shards json.Number `json:"shards"`
		Limit  *struct {
			Total          json.Number `json:"total"`
			Remaining      json.Number `json:"remaining"`
			ResetAfter     json.Number `json:"reset_after"`
			MaxConcurrency json.Number `json:"max_concurrency"`
		} `json:"session_start_limit"`
	}
	wrong := func(format string, args ...any) (GatewayBot, error) {
		return GatewayBot{}, &GatewayBotError{Status: status, Why: fmt.Sprintf(format, args...)}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return wrong("no JSON of the kind that is documented: %s (%.60q)", shortError(err), body)
	}
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		return wrong("null: want an object with shards and session_start_limit")
	}
	if answer.Limit == nil {
		return wrong("session_start_limit is missing")
	}
	for _, f := range []struct {
		name        string
		value       json.Number
		least, most int
		to          *int
	}{
		{"shards", answer.Shards, 1, messages.CountMax, &g.Shards},
		{"session_start_limit.max_concurrency", answer.Limit.MaxConcurrency, 1, concurrencyMax, &g.MaxConcurrency},
		{"session_start_limit.total", answer.Limit.Total, 1, totalMax, &g.Total},
		{"session_start_limit.remaining", answer.Limit.Remaining, 0, totalMax, &g.Remaining},
	} {
		if f.value == "" {
			return wrong("%s is missing", f.name)
		}
		n, err := strconv.Atoi(f.value.String())
		if err != nil || n < f.least || n > f.most {
			return wrong("%s %.20s: want a whole number from %d to %d", f.name, f.value, f.least, f.most)
		}
		*f.to = n
	}
	ms, err := answer.Limit.ResetAfter.Float64() // fractions occur
	if err != nil || !(ms >= 0 && ms <= float64(resetMax.Milliseconds())) {
		return wrong("session_start_limit.reset_after %.20q: want milliseconds from 0 to %d", answer.Limit.ResetAfter.String(), resetMax.Milliseconds())
	}
	g.ResetAfter = time.Duration(math.Ceil(ms)) * time.Millisecond
	return g, nil
}

// unusable returns the error of an answer with another status than 200.
func unusable(status int, header map[string]string, body []byte, now time.Time) *GatewayBotError {
	e := &GatewayBotError{Status: status, Why: "want 200"}
	switch {
	case status == statusLimited:
		e.Why = "too many requests"
		if e.Wait, e.Stated = statedWait(header["Retry-After"], body, now); !e.Stated {
			e.Wait = limitedWait
		}
	case status/100 == 3:
		e.Why = fmt.Sprintf("redirected to %.100q: want an answer; discord.api is the address of Discord's REST API", header["Location"])
	case status == statusUnavailable:
		e.Wait, e.Stated = statedWait(header["Retry-After"], nil, now)
	}
	if kind := header["Content-Type"]; strings.Contains(kind, "html") {
		e.Why += fmt.Sprintf(" (%.40s: of a proxy before Discord)", kind)
	}
	return e
}

// shortError returns an error of JSON without the type it was read into.
func shortError(err error) string {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return err.Error()
	}
	want := "a number"
	if kind.Type.Kind() == reflect.Struct {
		want = "an object"
	}
	if kind.Field != "" {
		want = kind.Field + ": want " + want
	} else {
		want = "want " + want
	}
	return fmt.Sprintf("%s, got %s", want, kind.Value)
}

// How long Discord is not asked after an unusable answer.
const (
	limitedWait = time.Minute // after a 429 without a wait, and at most after a 503
	waitLeast   = time.Second
	brokenMost  = 5 * time.Minute

	// WaitMost bounds the wait that Discord may ask for.
	WaitMost = 24 * time.Hour
)

// statedWait returns the wait a refusal asks for, from waitLeast to WaitMost: from its header, in
// seconds or as a date, or else from its body; false where neither states one. A value that is no
// number ≥ 0 states none.
func statedWait(header string, body []byte, now time.Time) (wait time.Duration, stated bool) {
	if seconds, err := strconv.ParseFloat(header, 64); err == nil && waitable(seconds) {
		return waitOf(seconds), true
	}
	if at, err := time.Parse(httpDate, header); err == nil {
		return waitOf(at.Sub(now).Seconds()), true
	}
	var answer struct {
		RetryAfter *float64 `json:"retry_after"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.RetryAfter != nil && waitable(*answer.RetryAfter) {
		return waitOf(*answer.RetryAfter), true
	}
	return 0, false
}

// waitable reports whether seconds can be a wait; NaN cannot, either.
func waitable(seconds float64) bool { return seconds >= 0 && !math.IsInf(seconds, 1) }

// waitOf returns seconds within the bounds of a wait.
func waitOf(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, waitLeast.Seconds()), WaitMost.Seconds()) * float64(time.Second))
}

// AskDiscordAfter returns how long to wait before asking Discord again: the wait Discord asked for;
// 1, 2, 4 s and so on up to a minute after a 503 that asks for none, up to five after another
// unusable answer, and up to 16 s after none. tries counts the requests since its last usable
// answer, random is in [0,1).
func AskDiscordAfter(err error, tries int, random float64) time.Duration {
	var answer *GatewayBotError
	switch {
	case !errors.As(err, &answer):
		return redial(true, min(tries+1, 5), random)
	case answer.Wait > 0: // and a little more, so that not all machines return at once
		return answer.Wait + time.Duration(random*float64(min(answer.Wait/10, 30*time.Second)))
	case answer.Status == statusUnavailable:
		return Jitter(min(time.Second<<min(tries, 10), limitedWait), retryJitter, random)
	default:
		return Jitter(min(time.Second<<min(tries, 10), brokenMost), retryJitter, random)
	}
}
