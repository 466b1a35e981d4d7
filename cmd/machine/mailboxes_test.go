package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// The daemon's Router runs on its own mailbox, and the messages that wait in it are counted.
func TestRouterKeepsItsMailbox(t *testing.T) {
	m := New(t.TempDir(), zerolog.Nop())
	m.Dial = func(transport.Target, func(transport.Link, error)) func() { return func() {} }
	system := actor.NewActorSystem()
	root, err := system.Root.SpawnNamed(actors.New(m.World, actors.Options{Master: actors.Master{URL: "ws://127.0.0.1:1"}}), "control")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Started:
			ctx.Watch(root)
		case *actor.Terminated:
			close(gone)
		}
	}))
	system.Root.Send(root, messages.Stop{})
	<-gone                                       // every actor was spawned
	if err := m.Close(time.Minute); err != nil { // before t removes the folder
		t.Error(err)
	}
	m.boxes.mu.Lock()
	kind := fmt.Sprintf("%T", m.boxes.all["router"])
	m.boxes.mu.Unlock()
	if kind != "*router.lentMailbox" {
		t.Errorf("the Router's mailbox is a %s", kind)
	}
	if _, counted := m.Mailboxes()["router"]; !counted {
		t.Error("the messages that wait for the Router are not counted")
	}
}
