package plan

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/discluster/control/messages"
)

// Discord's limits of one message (its documentation: "Create Message", "Embed Limits"), in UTF-16
// units, the strictest way to count characters.
const (
	embedsMax     = 10
	embedCharsMax = 6000 // of all embeds of a message together
	titleMax      = 256
	fieldsMax     = 25
	fieldNameMax  = 256
	fieldValueMax = 1024
	footerMax     = 2048
)

// WebhookBurst limits the requests to one webhook in webhookWindow. Discord publishes its limit in
// headers only; these are the values seen there.
const (
	WebhookBurst  = 5
	webhookWindow = 2 * time.Second
)

// Waits before a message is sent again.
const (
	retryAfterMin = 100 * time.Millisecond
	retryAfterMax = 10 * time.Minute
	// WebhookTries limits the attempts to send a message that Discord fails to take; the waits
	// between, 1 to 32 s, are a minute in all.
	WebhookTries = 7
)

// colors of an embed, from Discord's own palette.
var colors = map[messages.Level]int{
	messages.LevelDebug: 0x80848E, messages.LevelInfo: 0x5865F2, messages.LevelWarn: 0xF0B232, messages.LevelError: 0xDA373C,
}

type (
	webhookMessage struct {
		Embeds          []embed `json:"embeds"`
		AllowedMentions struct {
			Parse []string `json:"parse"`
		} `json:"allowed_mentions"`
	}
	embed struct {
		Title     string       `json:"title"`
		Color     int          `json:"color"`
		Fields    []embedField `json:"fields"`
		Footer    embedFooter  `json:"footer"`
		Timestamp string       `json:"timestamp"`
	}
	embedField struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Inline bool   `json:"inline"`
	}
	embedFooter struct {
		Text string `json:"text"`
	}
)

// WebhookMessage returns the body of one message with an embed for each of the first alerts, as
// many as Discord takes at once, and their number (≥ 1). It mentions no one, whatever the texts
// hold.
func WebhookMessage(alerts []Alert) (body []byte, took int) {
	m := webhookMessage{}
	m.AllowedMentions.Parse = []string{}
	room := embedCharsMax
	for _, a := range alerts[:min(len(alerts), embedsMax)] {
		e, chars := embedOf(a)
		if chars > room {
			break
		}
		room -= chars
		m.Embeds = append(m.Embeds, e)
	}
	body, err := json.Marshal(m)
	if err != nil {
		panic("plan: " + err.Error()) // texts and numbers always can be
	}
	return body, len(m.Embeds)
}

// embedOf returns an alert as an embed, and how many characters it counts, at most embedCharsMax:
// the excess is left out from the end.
func embedOf(a Alert) (e embed, chars int) {
	name, level := a.Event.Event()
	e = embed{Title: cutText(name, titleMax), Color: colors[level], Fields: []embedField{}, Footer: embedFooter{cutText(a.Machine, footerMax)}, Timestamp: messages.Stamp(a.At)}
	chars = units(e.Title) + units(e.Footer.Text)
	for _, f := range eventFields(a.Event) {
		if len(e.Fields) == fieldsMax || chars+units(f.Name)+units(f.Value) > embedCharsMax {
			break
		}
		chars += units(f.Name) + units(f.Value)
		e.Fields = append(e.Fields, f)
	}
	return e, chars
}

// eventFields returns the fields of an event, in its own order, without empty ones.
func eventFields(e messages.Event) (fields []embedField) {
	text, err := json.Marshal(e)
	if err != nil {
		return []embedField{{Name: "err", Value: cutText(err.Error(), fieldValueMax)}}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		var raw json.RawMessage
		if err != nil || d.Decode(&raw) != nil {
			return fields
		}
		value := textOf(raw)
		if value == "" || name == "" {
			continue
		}
		cut := cutText
		if name == "output" {
			cut = lastText // its end matters most
		}
		fields = append(fields, embedField{Name: cutText(name.(string), fieldNameMax), Value: cut(value, fieldValueMax), Inline: units(value) <= inlineMax})
	}
	return fields
}

// textOf returns a value for people: a text as it is, a list of texts a line each, all else as
// JSON.
func textOf(raw json.RawMessage) string {
	var text string
	var list []string
	switch {
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &list) == nil:
		return strings.Join(list, "\n")
	default:
		return string(raw)
	}
}

// inlineMax is the longest value that may appear beside another.
const inlineMax = 30

// units counts a text as Discord does.
func units(s string) (n int) {
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// cutText returns the beginning of s, at most most units, with an ellipsis where it was cut.
func cutText(s string, most int) string {
	if units(s) <= most {
		return s
	}
	n := 0
	for at, r := range s {
		if n += max(utf16.RuneLen(r), 1); n > most-1 {
			return s[:at] + "…"
		}
	}
	return s
}

// lastText returns the end of s, at most most units.
func lastText(s string, most int) string {
	over := units(s) - most
	if over <= 0 {
		return s
	}
	n := 0
	for at, r := range s {
		if n > over { // one more than has to go makes room for the ellipsis
			return "…" + s[at:]
		}
		n += max(utf16.RuneLen(r), 1)
	}
	return s
}

// WebhookWait returns how long the next request has to wait, after those that were sent at these
// times, in order.
func WebhookWait(sent []time.Time, now time.Time) time.Duration {
	if len(sent) < WebhookBurst {
		return 0
	}
	return max(0, sent[len(sent)-WebhookBurst].Add(webhookWindow).Sub(now))
}

// WebhookFate is the outcome of one sending of a message.
type WebhookFate int

const (
	WebhookDelivered WebhookFate = iota // Discord has it
	WebhookAgain                        // it is sent again
	WebhookRefused                      // Discord will never take it: the webhook is gone, or the message is wrong
	WebhookLost                         // it was sent WebhookTries times
)

// WebhookAnswer decides by the answer to the tries-th sending of a message, status 0 for none, and
// returns when it is sent again. random is in [0,1).
func WebhookAnswer(status int, body []byte, tries int, random float64) (WebhookFate, time.Duration) {
	switch {
	case status >= 200 && status < 300:
		return WebhookDelivered, 0
	case status == 429:
		if d, ok := retryAfter(body); ok {
			return WebhookAgain, d
		}
	case status >= 300 && status < 500 && status != 408:
		return WebhookRefused, 0
	}
	if tries >= WebhookTries {
		return WebhookLost, 0
	}
	return WebhookAgain, Jitter(time.Second<<min(tries-1, 5), 0.2, random)
}

// retryAfter returns the wait that Discord asks for in the body of a 429, in seconds. A proxy
// before Discord may answer without one.
func retryAfter(body []byte) (time.Duration, bool) {
	var asked struct {
		RetryAfter *float64 `json:"retry_after"`
	}
	if json.Unmarshal(body, &asked) != nil || asked.RetryAfter == nil {
		return 0, false
	}
	seconds := min(max(*asked.RetryAfter, 0), retryAfterMax.Seconds())
	return max(time.Duration(seconds*float64(time.Second)), retryAfterMin), true
}
