package cmd

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
	files := newFolder(t.TempDir())
	w, boxes, _ := countedWorld(files, zerolog.Nop())
	w.Dial = func(transport.Target, func(transport.Link, error)) func() { return func() {} }
	system := actor.NewActorSystem()
	root, err := system.Root.SpawnNamed(actors.New(w, actors.Options{Master: actors.Master{URL: "ws://127.0.0.1:1"}}), "control")
	if err != nil {
		t.Fatal(err)
	}
	gone := watch(system, root)
	system.Root.Send(root, messages.Stop{})
	<-gone                                           // every actor was spawned
	if err := files.flush(time.Minute); err != nil { // before t removes the folder
		t.Error(err)
	}
	boxes.mu.Lock()
	kind := fmt.Sprintf("%T", boxes.all["router"])
	boxes.mu.Unlock()
	if kind != "*router.lentMailbox" {
		t.Errorf("the Router's mailbox is a %s", kind)
	}
	if _, counted := boxes.depths()["router"]; !counted {
		t.Error("the messages that wait for the Router are not counted")
	}
}
