package world

import (
	"encoding/json"

	"github.com/rs/zerolog"

	"github.com/discluster/control/messages"
)

// levels maps the levels of events to those of the log.
var levels = map[messages.Level]zerolog.Level{
	messages.LevelDebug: zerolog.DebugLevel, messages.LevelInfo: zerolog.InfoLevel, messages.LevelWarn: zerolog.WarnLevel, messages.LevelError: zerolog.ErrorLevel,
}

// LogEvent logs an event as one line: its name as the message, its JSON fields as fields.
func (w *World) LogEvent(e messages.Event) {
	name, level := e.Event()
	if levels[level] < w.Log.GetLevel() { // spares the work below
		return
	}
	line := w.Log.WithLevel(levels[level])
	text, err := json.Marshal(e)
	var fields map[string]any
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		line.AnErr("event_err", err)
	}
	line.Fields(fields).Msg(name)
}
