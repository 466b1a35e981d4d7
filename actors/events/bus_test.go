package events_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/events"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// A subscriber that restarts keeps its PID, subscribes again, and gets each event once.
func TestBusSubscribesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
		w := &world.World{}
		bus := system.Root.Spawn(events.NewBus(w, world.Addresses{}))
		got := 0
		subscriber := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *actor.Started:
				ctx.Request(bus, messages.Subscribe{})
			case messages.AlertsLost:
				got++
			case string:
				panic("a defect")
			}
		}))
		synctest.Wait()
		for range 3 {
			system.Root.Send(subscriber, "fail")
			synctest.Wait()
		}
		system.Root.Send(bus, messages.AlertsLost{Lost: 1})
		synctest.Wait()
		if got != 1 {
			t.Errorf("the event came %d times, want once", got)
		}
		system.Root.Stop(subscriber)
		system.Root.Stop(bus)
		system.Shutdown()
		time.Sleep(2 * time.Second) // protoactor's throttles
	})
}
