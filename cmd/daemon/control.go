package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/events"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/status"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
	"github.com/discluster/control/transport/botlog"
	"github.com/discluster/control/transport/proc"
)

// Control is one CONTROL of this process.
type Control struct {
	system  *actor.ActorSystem
	root    *actor.PID
	ended   <-chan struct{} // closed when its root actor has ended
	machine *machine.Machine
	dirs    *Dirs
	limit   time.Duration // of an ordered stop
	status  adminQueries
	admin   *adminListener
}

// Limits of a stop, besides those of the configuration.
const (
	detachLimit = 5 * time.Second // for actors that leave their bots serving
	flushLimit  = 2 * time.Second // for the disk
)

// Dirs are the folders of one CONTROL, of which it has the lock.
type Dirs struct {
	logs    string // folder for its bots' output; "": they share CONTROL's own
	release func() // of the lock
}

// Claim makes the folders and takes the lock. Start nothing before it: another CONTROL may run on
// these folders. Its errors are UsageErrors.
func Claim(c *config.Config) (*Dirs, error) {
	d := &Dirs{}
	if c.Cluster.Logs == config.LogsFile {
		d.logs = LogFolder(c)
	}
	for _, f := range []struct{ key, dir string }{{"state.dir", c.State.Dir}, {"sockets.dir", c.Sockets.Dir}, {"logs", d.logs}} {
		if f.dir == "" {
			continue
		}
		if err := makeFolder(f.dir); err != nil {
			return nil, UsageError{fmt.Errorf("%s %s: %w", f.key, f.dir, err)}
		}
	}
	var err error
	if d.release, err = machine.LockFolder(c.State.Dir); err != nil {
		return nil, UsageError{err}
	}
	return d, nil
}

// LogFolder returns the folder that holds the bots' output.
func LogFolder(c *config.Config) string { return filepath.Join(c.State.Dir, "logs") }

// StartControl spawns the actors of a CONTROL in the folders it claimed. name is the root actor's.
func StartControl(system *actor.ActorSystem, name string, c *config.Config, dirs *Dirs, behaviours []world.Behaviour, log zerolog.Logger) (*Control, error) {
	m := machine.New(c.State.Dir, log)
	if c.Bot.Protocol == config.ProtocolGateway {
		m.Snapshots = machine.Snapshots(gatewayFolder(c))
	}
	queries := adminQueries{system, system.NewLocalPID(name + "/" + status.Name)}
	shown, err := openAdmin(c, AdminSocket, func(o admin.Options) *admin.Server {
		o.Mailboxes, o.Links = m.Mailboxes, m.Links
		return admin.New(o, queries, nil)
	}, func(e messages.Event) { system.Root.Send(system.NewLocalPID(name+"/"+events.BusName), e) }, log)
	if err != nil {
		return nil, err
	}
	if dirs.logs != "" {
		limits := botlog.Limits{Run: int64(c.Cluster.LogMax), Ended: int64(c.Cluster.LogKeep)}
		behaviours = append([]world.Behaviour{logKeeper(dirs.logs, limits)}, behaviours...)
	}
	options := ControlOptions(c, dirs.logs, append(behaviours, statusBehaviour(c, shown.failures)))
	options.Identify.Survivors = survivors(options.Cluster.Owner)
	root, err := system.Root.SpawnNamed(actors.New(m.World, options), name)
	if err != nil {
		shown.close()
		return nil, err
	}
	ended := watch(system, root)
	go m.WatchCPU(ended)
	return &Control{system: system, admin: shown, root: root, ended: ended, machine: m, dirs: dirs, status: queries, limit: c.Cluster.StopGrace + c.Cluster.KillGrace + 2*time.Second}, nil
}

// survivors reports whether bots of an installation are running, or may be.
func survivors(owner string) bool {
	found, err := proc.Holders(plan.OwnedBy(owner))
	return err != nil || len(found) > 0
}

// Stop drains the clusters and ends the actors. It fails if that, or writing the state, takes too
// long.
func (c *Control) Stop(reason string) error { return c.end(messages.Stop{Reason: reason}, c.limit) }

// Detach ends the actors and leaves every bot serving.
func (c *Control) Detach(reason string) error {
	return c.end(messages.Stop{Reason: reason, Detach: true}, detachLimit)
}

// end ends the actors, writes the state and releases the state folder.
func (c *Control) end(m messages.Stop, limit time.Duration) (err error) {
	defer c.dirs.release()
	defer c.admin.close() // after the last event, which a client may wait for
	c.system.Root.Send(c.root, m)
	select {
	case <-c.ended:
	case <-time.After(limit):
		err = fmt.Errorf("stop: clusters did not end within %v: %s", limit, c.unended())
		if m.Detach {
			err = fmt.Errorf("detach: CONTROL's actors did not end within %v", limit)
		}
	}
	return errors.Join(err, c.machine.Close(flushLimit))
}

// Page returns the address of the admin API; "" if there is none.
func (c *Control) Page() string { return c.admin.address() }

// viewWithin is the longest wait for the list of clusters that did not end.
const viewWithin = time.Second

// unended lists the clusters that did not end, with their processes.
func (c *Control) unended() string {
	views := make(chan messages.View, 1)
	c.status.GetView(messages.GetView{Answer: func(v messages.View) { views <- v }})
	select {
	case v := <-views:
		return namesOf(v.Clusters)
	case <-time.After(viewWithin):
		return "it is unknown which, because CONTROL's status actor does not answer"
	}
}

// namesOf lists clusters by id, state and pid.
func namesOf(clusters []messages.ClusterView) string {
	var names []string
	for _, v := range clusters {
		switch {
		case v.State == messages.ClusterStopped:
		case v.PID == 0:
			names = append(names, fmt.Sprintf("cluster %d is %s, its pid is unknown", v.Cluster, v.State))
		default:
			names = append(names, fmt.Sprintf("cluster %d is %s, pid %d", v.Cluster, v.State, v.PID))
		}
	}
	if len(names) == 0 {
		return "it is unknown which an earlier run of CONTROL left (see the log)"
	}
	return strings.Join(names, "; ")
}

// makeFolder makes a folder of CONTROL's own and checks that it is writable.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := proc.Probe(dir); err != nil {
		return fmt.Errorf("not writable: %w", err)
	}
	return nil
}

// watch returns a channel that is closed when an actor has ended.
func watch(system *actor.ActorSystem, pid *actor.PID) <-chan struct{} {
	gone := make(chan struct{})
	system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Started:
			ctx.Watch(pid)
		case *actor.Terminated:
			close(gone)
			ctx.Stop(ctx.Self())
		}
	}))
	return gone
}
