package cmd

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/gofrs/flock"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/cluster"
	"github.com/discluster/control/actors/events"
	"github.com/discluster/control/actors/gate"
	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/router"
	"github.com/discluster/control/actors/status"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
	"github.com/discluster/control/transport/botlog"
	"github.com/discluster/control/transport/proc"
)

// control is one CONTROL of this process.
type control struct {
	system *actor.ActorSystem
	root   *actor.PID
	ended  <-chan struct{} // closed when its root actor has ended
	files  *folder
	links  *links
	lock   *flock.Flock
	limit  time.Duration // of an ordered stop
	status adminQueries

	admin *adminListener
}

// Limits of a stop and of the locks, besides those of the configuration.
const (
	detachLimit = 5 * time.Second // for actors that leave their bots serving
	flushLimit  = 2 * time.Second // for the disk
	lockLimit   = 500 * time.Millisecond
	lockStep    = 10 * time.Millisecond
)

// claimedDirs holds the folders of one CONTROL, whose lock it has.
type claimedDirs struct {
	logs string // folder for its bots' output; "": they share CONTROL's own
	lock *flock.Flock
}

// claimDirs makes the folders and takes the lock. Start nothing before it: another CONTROL may run
// on these folders.
func claimDirs(c *config.Config) (*claimedDirs, error) {
	p := &claimedDirs{lock: flock.New(filepath.Join(c.State.Dir, lockFile))}
	if c.Cluster.Logs == config.LogsFile {
		p.logs = logFolder(c)
	}
	for _, f := range []struct{ key, dir string }{{"state.dir", c.State.Dir}, {"sockets.dir", c.Sockets.Dir}, {"logs", p.logs}} {
		if f.dir == "" {
			continue
		}
		if err := makeFolder(f.dir); err != nil {
			return nil, usageError{fmt.Errorf("%s %s: %w", f.key, f.dir, err)}
		}
	}
	if info, err := os.Stat(p.lock.Path()); err == nil {
		if err := stateFile(p.lock.Path(), info); err != nil {
			return nil, usageError{err}
		}
	}
	// A CONTROL that was just killed, or a command that looks whether the lock is held, releases it
	// by then.
	ctx, cancel := context.WithTimeout(context.Background(), lockLimit)
	defer cancel()
	switch mine, err := p.lock.TryLockContext(ctx, lockStep); {
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		return nil, usageError{fmt.Errorf("state.dir %s: lock: %w", c.State.Dir, err)}
	case !mine:
		which := ""
		if pid, err := runningIn(c.State.Dir); err == nil {
			which = fmt.Sprintf(" (pid %d)", pid)
		}
		return nil, usageError{fmt.Errorf("state.dir %s: another CONTROL runs on it%s; each needs a state folder of its own", c.State.Dir, which)}
	}
	// `control upgrade` reads the pid, and reports if it is missing.
	_ = os.WriteFile(p.lock.Path(), fmt.Appendln(nil, os.Getpid()), 0o600)
	return p, nil
}

// startControl spawns the actors of a CONTROL in the folders it claimed. name is the root actor's.
func startControl(system *actor.ActorSystem, name string, c *config.Config, dirs *claimedDirs, behaviours []world.Behaviour, log zerolog.Logger) (*control, error) {
	files := newFolder(c.State.Dir)
	w, boxes, lines := countedWorld(files, log)
	cpu := newPressure()
	w.Starved = cpu.starved
	queries := adminQueries{system, system.NewLocalPID(name + "/" + status.Name)}
	shown, err := openAdmin(c, adminSocket, func(o admin.Options) *admin.Server {
		o.Mailboxes, o.Links = boxes.depths, lines.figures
		return admin.New(o, queries, nil)
	}, func(e messages.Event) { system.Root.Send(system.NewLocalPID(name+"/"+events.BusName), e) }, log)
	if err != nil {
		return nil, err
	}
	if dirs.logs != "" {
		limits := botlog.Limits{Run: int64(c.Cluster.LogMax), Ended: int64(c.Cluster.LogKeep)}
		behaviours = append([]world.Behaviour{logKeeper(dirs.logs, limits)}, behaviours...)
	}
	options := controlOptions(c, dirs.logs, append(behaviours, statusBehaviour(c, shown.failures)))
	options.Identify.Survivors = survivors(options.Cluster.Owner)
	root, err := system.Root.SpawnNamed(actors.New(w, options), name)
	if err != nil {
		shown.close()
		return nil, err
	}
	ended := watch(system, root)
	go cpu.watch(ended)
	return &control{system: system, admin: shown, root: root, ended: ended, files: files, links: lines, lock: dirs.lock, status: queries, limit: c.Cluster.StopGrace + c.Cluster.KillGrace + 2*time.Second}, nil
}

// survivors reports whether bots of an installation are running, or may be.
func survivors(owner string) bool {
	found, err := proc.Holders(plan.OwnedBy(owner))
	return err != nil || len(found) > 0
}

// stop drains the clusters and ends the actors. It fails if that, or writing the state, takes too
// long.
func (c *control) stop(reason string) error { return c.end(messages.Stop{Reason: reason}, c.limit) }

// detach ends the actors and leaves every bot serving.
func (c *control) detach(reason string) error {
	return c.end(messages.Stop{Reason: reason, Detach: true}, detachLimit)
}

// end ends the actors, writes the state and releases the state folder.
func (c *control) end(m messages.Stop, limit time.Duration) (err error) {
	defer func() { _ = c.lock.Unlock() }()
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
	c.links.waitClosed()
	return errors.Join(err, c.files.flush(flushLimit))
}

// viewWithin is the longest wait for the list of clusters that did not end.
const viewWithin = time.Second

// unended lists the clusters that did not end, with their processes.
func (c *control) unended() string {
	views := make(chan messages.View, 1)
	c.status.GetView(messages.GetView{Answer: func(v messages.View) { views <- v }})
	select {
	case v := <-views:
		return namesOf(v.Clusters)
	case <-time.After(viewWithin):
		return "which is unknown, for CONTROL's own state is not answered"
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

// botFolders returns CONTROL's folders in which a bot's files are created.
func botFolders(c *config.Config, protocol messages.Protocol, logs string) (dirs []string) {
	if protocol == messages.ProtocolSDK {
		dirs = append(dirs, c.Sockets.Dir)
	}
	if logs != "" {
		dirs = append(dirs, logs)
	}
	return dirs
}

// controlOptions returns the actors' options of a configuration.
func controlOptions(c *config.Config, logs string, behaviours []world.Behaviour) actors.Options {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = c.Machine.Source
	}
	var env []string
	// Sorted, for a bot is adopted only if its environment is the same.
	for _, name := range slices.Sorted(maps.Keys(c.Cluster.Env)) {
		env = append(env, name+"="+c.Cluster.Env[name])
	}
	ready, _ := c.Cluster.ReadyRule() // validated with the configuration
	protocol, runner := botRunner(c)
	return actors.Options{
		Version: versionText(), Hostname: hostname, PID: os.Getpid(), CPUs: runtime.NumCPU(), Memory: memory(),
		Master: actors.Master{URL: c.Master.URL, Authorization: c.Master.Authorization, Source: c.Machine.Source, Weight: float64(c.Machine.Weight)},
		Cluster: cluster.Options{
			Command: c.Cluster.Command, Runner: runner, Dir: c.Cluster.Dir, BaseEnv: withoutSystemd(os.Environ()), ExtraEnv: env,
			ShardsPerCluster: c.Cluster.ShardsPerCluster, Sockets: cmp.Or(c.Cluster.SocketPrefix, c.Sockets.Dir+"/"), Logs: logs, Owner: ownerName(c),
			Folders:  botFolders(c, protocol, logs),
			Protocol: protocol, Ready: ready, Probe: c.Cluster.Probe,
			HelloTimeout: c.Cluster.HelloTimeout, ReadyTimeout: c.Cluster.ReadyTimeout, Heartbeat: c.Cluster.HeartbeatInterval,
			StopGrace: c.Cluster.StopGrace, KillGrace: c.Cluster.KillGrace,
			TokenByHello: c.Cluster.Token == config.TokenByHello, OnLost: c.Cluster.OnLost, LostAfter: c.Cluster.LostAfter,
		},
		Identify:   gate.Options{TTL: c.Identify.PermitTTL, Margin: c.Identify.Margin},
		Router:     router.Options{Eval: c.IPC.Eval},
		Behaviours: behaviours,
	}
}

// botRunner returns how the actors talk to the bot, and the program that runs it: behind a gateway
// host, which is a cluster process of protocol sdk.
func botRunner(c *config.Config) (protocol messages.Protocol, runner []string) {
	if c.Bot.Protocol != config.ProtocolGateway {
		return messages.Protocol(c.Bot.Protocol), nil
	}
	self, err := ownPath()
	if err != nil {
		self = "/proc/self/exe"
	}
	return messages.ProtocolSDK, []string{self, "gateway", "--dir", filepath.Join(c.State.Dir, "gateway"), "--api", c.Discord.API, "--hello-timeout", c.Cluster.HelloTimeout.String(), "--"}
}

// ownerName returns the name of an installation of CONTROL: its source and its state folder. The
// folder is not enough, for several containers may see each other's processes and have equal paths.
func ownerName(c *config.Config) string {
	dir, err := filepath.Abs(c.State.Dir)
	if target, failed := filepath.EvalSymlinks(dir); err == nil && failed == nil {
		dir = target
	}
	return c.Machine.Source + ":" + dir
}

// masterOptions returns the options of MASTER's actors of a configuration.
func masterOptions(c *config.Config) master.Options {
	o := master.Options{
		Listen: c.Fleet.Listen, Authorization: c.Master.Authorization, Token: c.Discord.Token, API: c.Discord.API,
		Shards: c.Fleet.Shards, MaxConcurrency: c.Fleet.MaxConcurrency, ShardsPerCluster: c.Cluster.ShardsPerCluster,
		Expect: c.Fleet.Expect, Wait: c.Fleet.Wait, Grace: c.Fleet.Grace, Spares: c.Fleet.Spares, Heartbeat: c.Fleet.HeartbeatInterval, TTL: c.Identify.PermitTTL,
		Margin: c.Identify.Margin,
	}
	if c.Fleet.OnMasterLoss == config.OnMasterLossFence {
		o.Lease = c.Fleet.Lease
	}
	return o
}

// localMaster is one MASTER of this process.
type localMaster struct {
	system *actor.ActorSystem
	root   *actor.PID
	ended  <-chan struct{}
	files  *folder
	links  *links
	failed <-chan error // the error that ended it
	at     string       // the address it listens at
	events *eventLog
}

// startMaster spawns MASTER and waits until it listens.
func startMaster(ctx context.Context, system *actor.ActorSystem, o master.Options, state string, log zerolog.Logger) (*localMaster, error) {
	listening, failed := make(chan string, 1), make(chan error, 1)
	o.Listening = func(at string) { listening <- at }
	o.Failed = func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	news := newEventLog("MASTER")
	o.Observe = news.add
	files := newFolder(state)
	w, lines := newWorld(files, log), &links{}
	w.Listen = lines.listen
	root, err := system.Root.SpawnNamed(master.New(w, o), "master")
	if err != nil {
		return nil, err
	}
	m := &localMaster{system: system, root: root, ended: watch(system, root), files: files, links: lines, failed: failed, events: news}
	select {
	case m.at = <-listening:
		return m, nil
	case err := <-failed:
		return nil, usageError{err}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *localMaster) stop() error {
	m.system.Root.Send(m.root, master.Stop{})
	select {
	case <-m.ended:
		m.links.waitClosed()
		return m.files.flush(flushLimit)
	case <-time.After(5 * time.Second):
		return errors.New("stop: MASTER did not end within 5s")
	}
}

// embed makes a configuration use an embedded MASTER, on loopback and with a secret of its own.
func embed(c *config.Config) {
	c.Fleet.Listen = "127.0.0.1:0"
	c.Fleet.Expect = 1
	c.Master.Authorization = messages.Secret(rand.Text())
}

// memory returns the machine's memory in bytes, 0 if it is unknown.
func memory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	var kib int64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err != nil {
		return 0
	}
	return kib << 10
}
