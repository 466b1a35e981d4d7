package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// RunMaster runs the MASTER of a configuration until ctx ends or it ends by itself. opened gets its
// log.
func RunMaster(ctx context.Context, c *config.Config, opened func(*logbook.Book)) error {
	if err := c.ValidateMaster(); err != nil {
		return UsageError{err}
	}
	c.Admin.Listen = c.AdminOfMaster()
	if _, err := AdminOptions(c); err != nil {
		return err
	}
	_ = makeFolder(c.State.Dir) // for the socket, which reports an error
	book := logbook.New(c, os.Stderr)
	opened(book)
	log := book.Logger
	unlock, err := lockToken(c, "MASTER", log)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := StartMaster(ctx, NewSystem(log), c, MasterOptions(c), log)
	if err != nil {
		return err
	}
	systemd, err := machine.NewSystemd(os.Getenv)
	if err != nil {
		log.Warn().Err(err).Msg("cannot notify systemd")
	}
	if systemd.Runs() {
		m.system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return newWatchdog(m.machine.World, systemd, nil, m.root) }))
	}
	systemd.Notify("READY=1", "STATUS=listening at "+m.At)
	log.Info().Str("version", Version()).Str("listen", m.At).Msg("master runs")
	select {
	case <-ctx.Done():
		systemd.Notify("STOPPING=1")
		return m.Stop()
	case err := <-m.Failed:
		_ = m.Stop()
		return err
	}
}

// Master is one MASTER of this process, with its admin API.
type Master struct {
	At     string       // the address it listens at
	Failed <-chan error // the error that ended it

	system  *actor.ActorSystem
	root    *actor.PID
	ended   <-chan struct{}
	machine *machine.Machine
	events  *eventLog
	admin   *adminListener
}

// StartMaster spawns MASTER in the state folder of c and waits until it listens. Its admin API is
// at the addresses of c.
func StartMaster(ctx context.Context, system *actor.ActorSystem, c *config.Config, o master.Options, log zerolog.Logger) (*Master, error) {
	m, err := spawnMaster(ctx, system, c.State.Dir, o, log)
	if err != nil {
		return nil, err
	}
	if err := m.openAdmin(c, log); err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	return m, nil
}

// spawnMaster is StartMaster without the admin API.
func spawnMaster(ctx context.Context, system *actor.ActorSystem, state string, o master.Options, log zerolog.Logger) (*Master, error) {
	listening, failed := make(chan string, 1), make(chan error, 1)
	o.Listening = func(at string) { listening <- at }
	o.Failed = func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	m := &Master{Failed: failed, system: system, machine: machine.New(state, log), events: newEventLog("MASTER")}
	o.Observe = m.events.add
	var err error
	if m.root, err = system.Root.SpawnNamed(master.New(m.machine.World, o), "master"); err != nil {
		return nil, err
	}
	m.ended = watch(system, m.root)
	select {
	case m.At = <-listening:
		return m, nil
	case err := <-failed:
		return nil, UsageError{err}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Stop ends MASTER and its admin API, and writes its state. It fails if that takes too long.
func (m *Master) Stop() error {
	if m.admin != nil {
		defer m.admin.close()
	}
	m.system.Root.Send(m.root, master.Stop{})
	select {
	case <-m.ended:
		return m.machine.Close(flushLimit)
	case <-time.After(5 * time.Second):
		return errors.New("stop: MASTER did not end within 5s")
	}
}

// Page returns the address of the admin API; "" if there is none.
func (m *Master) Page() string { return m.admin.address() }

// GetFleetView is part of admin.Fleet.
func (m *Master) GetFleetView(l messages.GetFleetView) { m.system.Root.Send(m.root, l) }

// OrderFleet is part of admin.Fleet.
func (m *Master) OrderFleet(o messages.FleetOrder) {
	after, answer := m.events.last(), o.Answer
	o.Answer = func(v messages.Verdict) {
		v.After = after
		answer(v)
	}
	m.system.Root.Send(m.root, o)
}

// Follow is part of admin.Fleet.
func (m *Master) Follow(f messages.Follow) { m.events.Follow(f) }

// openAdmin starts the admin server of a MASTER.
func (m *Master) openAdmin(c *config.Config, log zerolog.Logger) (err error) {
	report := func(e messages.Event) {
		e = logbook.Secrets.Event(e)
		(&world.World{Log: log}).LogEvent(e)
		m.events.add(e)
	}
	m.admin, err = openAdmin(c, MasterSocket, func(o admin.Options) *admin.Server { return admin.New(o, nil, m) }, report, log)
	if err != nil {
		return err
	}
	for _, e := range m.admin.failures {
		report(e)
	}
	return nil
}

// lockToken takes the lock until release or the end of this program. It fails if another program
// holds the lock, and names it. If the lock cannot be used at all, that is logged and the bots run
// without it.
func lockToken(c *config.Config, role string, log zerolog.Logger) (release func(), err error) {
	fingerprint := messages.Secret(strings.TrimRight(c.Discord.API, "/") + "\n" + c.Discord.Token.Reveal()).Fingerprint()
	release, holder, err := machine.LockToken(fingerprint, fmt.Sprintf("%s with pid %d and state.dir %s", role, os.Getpid(), c.State.Dir))
	switch {
	case holder != "":
		return nil, UsageError{fmt.Errorf("discord.token: another program of this machine runs a bot with it, %q; two would end each other's sessions and break Discord's identify limit. "+
			"Stop one of them, or give them one MASTER (master.url)", holder)}
	case err != nil:
		log.Warn().Err(err).Msg("cannot check whether another program of this machine has the same token")
		return func() {}, nil
	}
	return release, nil
}
