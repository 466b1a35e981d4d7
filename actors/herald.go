package actors

import (
	"encoding/json"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Herald tells every event to those who should know: the log, whoever subscribed, and MASTER where it concerns MASTER.
type Herald struct {
	w           *world.World
	house       House
	subscribers []*actor.PID
}

func newHerald(w *world.World, house House) *actor.Props {
	return w.Spawn("herald", func() actor.Actor { return &Herald{w: w, house: house} })
}

// Receive is Herald's only state.
func (h *Herald) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.Subscribe:
		if ctx.Sender() != nil {
			h.subscribers = append(h.subscribers, ctx.Sender())
			ctx.Watch(ctx.Sender())
		}
	case *actor.Terminated:
		for i, pid := range h.subscribers {
			if pid.Equal(m.Who) {
				h.subscribers = append(h.subscribers[:i:i], h.subscribers[i+1:]...)
				return
			}
		}
	case messages.Event:
		LogEvent(h.w.Log, m)
		for _, pid := range h.subscribers {
			ctx.Send(pid, m)
		}
		if packet := forMaster(m); packet != nil {
			ctx.Send(h.house.MasterLink, packet)
		}
	}
}

// forMaster is what MASTER hears of an event; nil where it is none of its business.
func forMaster(e messages.Event) messages.FromControl {
	switch e := e.(type) {
	case messages.ClusterGaveUp:
		name, _ := e.Event()
		return messages.MasterError{Code: e.CloseCode, Message: "cluster gave up after " + e.Causes[len(e.Causes)-1], Kind: name, Cluster: &e.Cluster, Shards: &e.Range}
	case messages.ClusterFatal:
		return messages.Fatal{Code: e.CloseCode, Message: e.Err, Cluster: e.Cluster, Shards: e.Range, Reason: e.Err}
	default:
		return nil
	}
}

// LogEvent writes an event as one line: its name, and its JSON fields as fields.
func LogEvent(log zerolog.Logger, e messages.Event) {
	name, level := e.Event()
	line := log.WithLevel([]zerolog.Level{zerolog.DebugLevel, zerolog.InfoLevel, zerolog.WarnLevel, zerolog.ErrorLevel}[level])
	if !line.Enabled() || !enabled(log, level) {
		return
	}
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

// enabled spares the work of a line that the log's level drops.
func enabled(log zerolog.Logger, level messages.Level) bool {
	return log.GetLevel() <= zerolog.Level(level) && log.GetLevel() != zerolog.Disabled
}
