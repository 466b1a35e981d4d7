package rehearsal

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

// Entry is one line of a timeline: something that happened, or several alike in one go.
type Entry struct {
	AtMS   messages.Milliseconds `json:"at_ms"`
	LastMS messages.Milliseconds `json:"last_ms"` // of those alike
	What   string                `json:"what"`    // an event's name, or one of ours: start, fault, fault.ends, ready
	Where  []string              `json:"where,omitempty"`
	Count  int                   `json:"count"`
	Text   string                `json:"text,omitempty"` // of the first
}

// apart is how far from each other loud events may be and still be told in one go. What was planned is told in one go until something else is said.
const apart = 10 * time.Second

// timelineMax bounds the entries of one run.
const timelineMax = 20_000

// timeline keeps what happened in few lines.
type timeline struct {
	now     func() time.Duration
	entries []*Entry
	open    map[string]*Entry // by name, those that take more of their kind
}

// say adds a line of our own; what comes after it is told anew.
func (t *timeline) say(what, where, format string, args ...any) {
	clear(t.open)
	t.add(what, where, fmt.Sprintf(format, args...))
}

// event adds an event.
func (t *timeline) event(where string, e messages.Event) {
	name, level := e.Event()
	t.alike(name, where, fields(e), level == messages.LevelInfo)
}

// alike adds a line, to those alike where it follows them; planned says that a pause between them does not matter.
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

// textMax is how long the text of an entry may be, in bytes.
const textMax = 160

// fields are those of an event that say something, as the log names them.
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
