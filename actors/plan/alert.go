package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/discluster/control/messages"
)

// Alert is an event as somebody outside CONTROL is told of it.
type Alert struct {
	Event   messages.Event
	At      time.Time
	Machine string
}

// Alarming reports whether an event is one to be told of: one of the named, or, where none is named, of level warn or error.
func Alarming(e messages.Event, names []string) bool {
	name, level := e.Event()
	if len(names) > 0 {
		return slices.Contains(names, name)
	}
	return level >= messages.LevelWarn
}

var levelNames = map[messages.Level]string{
	messages.LevelDebug: "debug", messages.LevelInfo: "info", messages.LevelWarn: "warn", messages.LevelError: "error",
}

// Line is an alert as one line of JSON: {"event":"cluster.gave_up","at":"2026-01-02T03:04:05.678Z","machine":"blade-7","level":"error", and the event's own fields}.
// It fails where the event is not a JSON object.
func Line(a Alert) ([]byte, error) {
	name, level := a.Event.Event()
	head, err := json.Marshal(struct {
		Event   string `json:"event"`
		At      string `json:"at"`
		Machine string `json:"machine"`
		Level   string `json:"level"`
	}{name, stamp(a.At), a.Machine, levelNames[level]})
	if err != nil {
		return nil, err
	}
	fields, err := json.Marshal(a.Event)
	if err != nil {
		return nil, err
	}
	if fields[0] != '{' {
		return nil, fmt.Errorf("event %s is no JSON object", name)
	}
	line := head
	if string(fields) != "{}" {
		line = append(append(head[:len(head)-1], ','), fields[1:]...)
	}
	return append(line, '\n'), nil
}

// stamp is a moment as people and programs read it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
