package daemon

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/transport/botlog"
	"github.com/discluster/control/transport/proc"
)

// An ordered end leaves no spare file in the folder of the bots' output.
func TestKeeperRemovesTheSpareOutput(t *testing.T) {
	dir, system := t.TempDir(), NewSystem(zerolog.Nop())
	w := &world.World{After: func(time.Duration, func()) func() { return func() {} }}
	events := system.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
	keeper := logKeeper(dir, botlog.Limits{})
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return keeper.Actor(w, world.Addresses{Events: events}) }))
	spare := proc.SpareOutput(dir)
	if err := os.WriteFile(spare, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := system.Root.StopFuture(pid).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(spare); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the spare file is still there: %v", err)
	}
}
