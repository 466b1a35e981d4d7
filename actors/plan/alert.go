package plan

import (
	"slices"
	"time"

	"github.com/discluster/control/messages"
)

// Alert is an event as it is sent to people outside CONTROL.
type Alert struct {
	Event   messages.Event
	At      time.Time
	Machine string
}

// alarming reports whether an event raises an alert: it is one of names, or, with no names, of
// level warn or error.
func alarming(e messages.Event, names []string) bool {
	name, level := e.Event()
	if len(names) > 0 {
		return slices.Contains(names, name)
	}
	return level >= messages.LevelWarn
}

// Alerts reports whether a channel delivers an event: it is alarming, and not the loss of the
// channel's own alerts, which would be lost as well.
func Alerts(by messages.AlertChannel, e messages.Event, names []string) bool {
	lost, is := e.(messages.AlertsLost)
	return alarming(e, names) && !(is && (lost.By == by || lost.Quiet))
}

// Line returns an alert as one line of JSON:
// {"event":"cluster.gave_up","at":"2026-01-02T03:04:05.678Z","machine":"blade-7","level":"error",
// and the event's own fields}. It fails where the event is not a JSON object.
func Line(a Alert) ([]byte, error) {
	name, level := a.Event.Event()
	line, err := messages.JoinJSON(struct {
		Event   string `json:"event"`
		At      string `json:"at"`
		Machine string `json:"machine"`
		Level   string `json:"level"`
	}{name, messages.Stamp(a.At), a.Machine, level.String()}, a.Event)
	if err != nil {
		return nil, err
	}
	return append(line, '\n'), nil
}
