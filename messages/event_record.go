package messages

import (
	"encoding/json"
	"fmt"
	"time"
)

// EventRecord is an event as the status actor keeps it.
type EventRecord struct {
	ID      uint64 // rises, also from one run of CONTROL to the next
	At      time.Time
	Machine string
	Event   Event
}

// MarshalJSON returns
// {"id":1767323045678,"event":"cluster.gave_up","at":"2026-01-02T03:04:05.678Z",
// "machine":"blade-7","level":"error", and the event's own fields}.
func (t EventRecord) MarshalJSON() ([]byte, error) {
	name, level := t.Event.Event()
	return JoinJSON(struct {
		ID      uint64 `json:"id"`
		Event   string `json:"event"`
		At      string `json:"at"`
		Machine string `json:"machine"`
		Level   string `json:"level"`
	}{t.ID, name, Stamp(t.At), t.Machine, level.String()}, t.Event)
}

// Stamp returns a moment in the form that log, API and pages use.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// JoinJSON returns the fields of head and then those of e, in one JSON object. It fails where one
// of them is not an object.
func JoinJSON(head any, e Event) ([]byte, error) {
	line, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	fields, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	if line[0] != '{' || fields[0] != '{' {
		name, _ := e.Event()
		return nil, fmt.Errorf("event %s is not a JSON object", name)
	}
	switch {
	case len(fields) == 2:
		return line, nil
	case len(line) == 2:
		return fields, nil
	}
	return append(append(line[:len(line)-1], ','), fields[1:]...), nil
}

// String returns the level as the log has it.
func (l Level) String() string {
	switch l {
	case LevelDebug:
		return "debug"
	case LevelInfo:
		return "info"
	case LevelWarn:
		return "warn"
	default:
		return "error"
	}
}

// ParseLevel returns the level of a name.
func ParseLevel(name string) (Level, error) {
	for l := LevelDebug; l <= LevelError; l++ {
		if l.String() == name {
			return l, nil
		}
	}
	return 0, fmt.Errorf("level %.20q: want debug, info, warn or error", name)
}
