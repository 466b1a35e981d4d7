package cmd

import (
	"fmt"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// The Router of the daemon runs on the mailbox that it wants, and what waits in it is counted.
func TestRouterKeepsItsMailbox(t *testing.T) {
	w, boxes, _ := countedWorld(newFolder(t.TempDir()), zerolog.Nop())
	w.Dial = func(transport.Target, func(transport.Link, error)) func() { return func() {} } // no MASTER
	system := actor.NewActorSystem()
	root, err := system.Root.SpawnNamed(actors.New(w, actors.Options{Master: actors.Master{URL: "ws://127.0.0.1:1"}}), "control")
	if err != nil {
		t.Fatal(err)
	}
	gone := watch(system, root)
	system.Root.Send(root, messages.Stop{})
	<-gone // so every actor was spawned
	boxes.mu.Lock()
	kind := fmt.Sprintf("%T", boxes.all["router"])
	boxes.mu.Unlock()
	if kind != "*actors.lentMailbox" {
		t.Errorf("the Router's mailbox is a %s", kind)
	}
	if _, counted := boxes.depths()["router"]; !counted {
		t.Error("what waits for the Router is not counted")
	}
}
