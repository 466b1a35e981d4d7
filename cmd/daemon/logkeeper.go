package daemon

import (
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/botlog"
	"github.com/discluster/control/transport/proc"
)

// keepEvery is the pause between two passes over the bots' output: a file may exceed its limit that
// long.
const keepEvery = time.Second

// logKeeper returns the behaviour that keeps the output of the bots within its limits.
func logKeeper(dir string, limits botlog.Limits) world.Behaviour {
	return world.Behaviour{Name: "logkeeper", Actor: func(w *world.World, addresses world.Addresses) actor.Actor {
		return &keeper{w: w, addresses: addresses, files: &botlog.Keeper{Dir: dir, Limits: limits}, writers: map[messages.ClusterID]int{}, astray: map[botlog.Writer]string{}}
	}}
}

// keeper runs one pass at a time; the next begins keepEvery after its end.
type keeper struct {
	w         *world.World
	addresses world.Addresses
	files     *botlog.Keeper
	writers   map[messages.ClusterID]int // the pids of the bots
	astray    map[botlog.Writer]string   // the files that the last pass found removed or renamed
	lastErr   string                     // the error reported last
	cancel    func()
}

// Messages of a keeper to itself.
type (
	passDue struct{ messages.MayBeLost }
	passed  struct {
		messages.MayBeLost
		astray map[botlog.Writer]string
		err    error
	}
)

// Receive is the only state of a keeper.
func (k *keeper) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(k.addresses.Events, messages.Subscribe{})
		k.next(ctx)
	case world.Recovered:
		k.next(ctx)
	case messages.ClusterMoved:
		k.writers[m.Cluster] = m.PID
		if m.PID == 0 {
			delete(k.writers, m.Cluster)
		}
	case passDue:
		send := world.Sender(ctx)
		writers := make([]botlog.Writer, 0, len(k.writers))
		for id, pid := range k.writers {
			writers = append(writers, botlog.Writer{Cluster: id, PID: pid})
		}
		go func() {
			astray, err := k.files.Pass(writers)
			send(passed{astray: astray, err: err})
		}()
	case passed:
		for w, file := range m.astray {
			if k.astray[w] != file {
				ctx.Send(k.addresses.Events, messages.LogsMoved{Cluster: w.Cluster, PID: w.PID, File: file})
			}
		}
		k.astray = m.astray
		if m.err != nil && m.err.Error() != k.lastErr {
			k.lastErr = m.err.Error()
			ctx.Send(k.addresses.Events, messages.LogsUnkept{Err: logbook.OneLine(m.err)})
		}
		k.next(ctx)
	case *actor.Stopping:
		k.cancel()
		_ = os.Remove(proc.SpareOutput(k.files.Dir)) // an empty file; the next CONTROL can use one that stays
	}
}

// next schedules the next pass.
func (k *keeper) next(ctx actor.Context) {
	if k.cancel != nil {
		k.cancel()
	}
	send := world.Sender(ctx)
	k.cancel = k.w.After(keepEvery, func() { send(passDue{}) })
}
