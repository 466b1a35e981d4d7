package rehearsal

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

// Entry is one line of a timeline: an event, or several equal ones in a row.
type Entry struct {
	AtMS   messages.Milliseconds `json:"at_ms"`
	LastMS messages.Milliseconds `json:"last_ms"` // time of the last of them
	// An event's name, or one of the rehearsal's: start, fault, fault.ends, ready.
	What  string   `json:"what"`
	Where []string `json:"where,omitempty"`
	Count int      `json:"count"`
	Text  string   `json:"text,omitempty"` // of the first of them
}

// apart is the longest pause between warnings or errors that share an entry. Planned events share
// one until another kind of line follows.
const apart = 10 * time.Second

// timelineMax bounds the entries of one run.
const timelineMax = 20_000

// timeline condenses events into few lines.
type timeline struct {
	now     func() time.Duration
	entries []*Entry
	open    map[string]*Entry // entries by name that can take another event of their kind
}

// say adds a line of the rehearsal's own; events after it begin new entries.
func (t *timeline) say(what, where, format string, args ...any) {
	clear(t.open)
	t.add(what, where, fmt.Sprintf(format, args...))
}

// event adds an event.
func (t *timeline) event(where string, e messages.Event) {
	name, level := e.Event()
	t.alike(name, where, fields(e), level == messages.LevelInfo)
}

// alike adds a line to an equal one that it follows; planned: whatever the pause between them.
func (t *timeline) alike(name, where, text string, planned bool) {
	if like := t.open[name]; like != nil && (planned || t.now()-like.LastMS.Duration() <= apart) {
		like.Count++
		like.LastMS = messages.Millis(t.now())
		if !slices.Contains(like.Where, where) {
			like.Where = append(like.Where, where)
		}
		return
	}
	t.open[name] = t.add(name, where, text)
}

func (t *timeline) add(what, where, text string) *Entry {
	now := messages.Millis(t.now())
	e := &Entry{AtMS: now, LastMS: now, What: what, Count: 1, Text: text}
	if where != "" {
		e.Where = []string{where}
	}
	if len(t.entries) < timelineMax {
		t.entries = append(t.entries, e)
	}
	return e
}

// textMax bounds the text of an entry, in bytes.
const textMax = 160

// fields returns the fields of an event for its text, named as in the log.
func fields(e messages.Event) string {
	var all []string
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		value := v.Field(i)
		text := fmt.Sprint(reflect.Indirect(value))
		if name == "" || name == "-" || text == "" || option == "omitempty" && value.IsZero() {
			continue
		}
		if strings.ContainsAny(text, " =") {
			text = fmt.Sprintf("%q", text)
		}
		all = append(all, name+"="+text)
	}
	text := strings.Join(all, " ")
	if len(text) > textMax {
		text = strings.ToValidUTF8(text[:textMax], "") + "…"
	}
	return text
}
