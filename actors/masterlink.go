package actors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/gate"
	"github.com/discluster/control/actors/link"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/master"
)

// MasterLink is CONTROL's root actor: it carries out what link.Link decides about the link to
// MASTER, and spawns all other actors.
type MasterLink struct {
	world.States
	options    Options
	addresses  world.Addresses
	members    []member
	starting   int             // members that have not answered since the start
	recovering map[string]bool // actors that panicked within recoverEvery, by id
	rules      *link.Link
	links      map[int]transport.Link
	dials      map[int]func() // under way; calling one abandons it
	stopping   bool
}

// Messages from the World about a link. Each has the number of its link.
type (
	linkOpened struct {
		messages.MayBeLost
		number int
		link   transport.Link
		err    error
	}
	linkFrame struct {
		messages.MayBeLost
		number int
		frame  []byte
	}
	linkEnded struct {
		messages.MayBeLost
		number int
		err    error
	}
	linkSaved struct {
		messages.MayBeLost
		err error
	}
	// linkTimer is a timer that link.Link set.
	linkTimer struct {
		messages.MayBeLost
		event any
	}
)

// New returns the props of CONTROL's root actor. Stop it with messages.Stop.
func New(w *world.World, o Options) *actor.Props {
	return w.Spawn("masterlink", func() actor.Actor {
		m := &MasterLink{options: o, recovering: map[string]bool{}, links: map[int]transport.Link{}, dials: map[int]func(){}}
		m.rules = link.New(link.Options{URL: o.Master.URL, ShardsPerCluster: o.Cluster.ShardsPerCluster, Heartbeat: o.Cluster.Heartbeat,
			Clocks: &w.Clocks, Rand: w.Rand, Redact: w.Secrets.Text})
		m.Begin(w, w.Log.With().Str("actor", "masterlink").Logger(), "assembling", m.assembling)
		return m
	}, actor.WithGuardian(&world.Resume{Log: w.Log, Report: func(root *actor.RootContext, self *actor.PID, broken messages.ControlBroken) {
		root.Send(world.AddressesOf(self).Events, broken)
	}}))
}

// assembling waits until every actor of the tree has started, and thus subscribed to what it wants
// to hear: an event of the link to MASTER would be lost to a later one.
func (m *MasterLink) assembling(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		m.addresses = world.AddressesOf(ctx.Self())
		root, bus := ctx.ActorSystem().Root, m.addresses.Events
		m.W = m.W.Reporting(func(file string, err error) { root.Send(bus, messages.StateSaved{File: file, Err: err}) })
		m.spawnTree(ctx)
		m.In(ctx, assembleWithin)
	case *actor.Touched:
		if m.starting--; m.starting == 0 {
			m.begin(ctx)
		}
	case world.Timeout:
		m.begin(ctx)
	case messages.Stop:
		m.begin(ctx)
		m.running(ctx)
	default:
		m.running(ctx)
	}
}

// assembleWithin is the longest wait for the actors of the tree: a behaviour may hang in its start.
const assembleWithin = 2 * time.Second

func (m *MasterLink) begin(ctx actor.Context) {
	m.Enter("running", m.running)
	m.step(ctx, link.Started{})
}

func (m *MasterLink) running(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case linkOpened:
		m.opened(ctx, msg)
	case linkFrame:
		m.frame(ctx, msg)
	case linkEnded:
		delete(m.links, msg.number)
		m.step(ctx, link.Ended{Link: msg.number, Err: msg.err, Code: closeCode(msg.err)})
	case linkSaved:
		m.step(ctx, link.Saved{Err: msg.err})
	case linkTimer:
		m.step(ctx, msg.event)
	case recoverDue:
		delete(m.recovering, msg.child.Id)
		ctx.Send(msg.child, world.Recovered{})
		m.step(ctx, link.Recovered{Child: link.Actor(strings.TrimPrefix(msg.child.Id, ctx.Self().Id+"/"))})
	case world.Recovered:
		m.step(ctx, link.Recovered{Self: true})
	case messages.Stop:
		m.stopping = true
		m.step(ctx, msg)
	case messages.MachineStatus, messages.ServeRefused, messages.ReleaseRefused, messages.Released, messages.SessionsHandedOver, messages.SessionsReported, messages.SessionsMoved,
		messages.SnapshotAsk, messages.SnapshotPart,
		messages.Ack, messages.AcceptMaster, messages.AllStopped, messages.PaceHandedOver, messages.ShareLeft, messages.Fatal,
		messages.PermitRequest, messages.PermitReport, messages.MasterError:
		m.step(ctx, msg)
	case *actor.Stopping, *actor.Restarting:
		m.closeLinks()
	case *actor.Terminated, *actor.Touched:
	default:
		m.Unexpected(ctx)
	}
}

// step passes an event to link.Link and carries out the effects.
func (m *MasterLink) step(ctx actor.Context, e any) {
	before := m.rules.State()
	for _, effect := range m.rules.Step(e, time.Now()) {
		m.carryOut(ctx, effect)
	}
	if after := m.rules.State(); after != before {
		m.Log.Debug().Str("from", string(before)).Str("to", string(after)).Msg("state")
	}
}

func (m *MasterLink) carryOut(ctx actor.Context, effect link.Effect) {
	switch e := effect.(type) {
	case link.Dial:
		m.dial(ctx, e)
	case link.Receive:
		send, number := world.Sender(ctx), e.Link
		m.links[number].Receive(
			func(b []byte) { send(linkFrame{number: number, frame: bytes.Clone(b)}) },
			func(err error) { send(linkEnded{number: number, err: err}) })
	case link.Close:
		m.close(e)
	case link.Send:
		m.send(ctx, e.Link, e.Packet)
	case link.SendInfo:
		m.sendInfo(ctx, e)
	case link.Deliver:
		ctx.Send(m.address(e.To), e.Message)
	case link.Raise:
		ctx.Send(m.addresses.Events, e.Event)
	case link.After:
		m.After(ctx, e.For, linkTimer{event: e.Event})
	case link.Load:
		m.step(ctx, m.load())
	case link.Save:
		m.save(ctx, e.Memory)
	case link.Learn:
		m.W.Secrets.Learn(e.Token)
	case link.Warn:
		m.Log.Warn().Msg(e.Text)
	case link.Stop:
		ctx.Stop(ctx.Self())
	}
}

// address returns the address of an actor that link.Link sends to.
func (m *MasterLink) address(a link.Actor) *actor.PID {
	switch a {
	case link.Gate:
		return m.addresses.Gate
	case link.Sessions:
		return m.addresses.Sessions
	case link.Clusters:
		return m.addresses.Clusters
	default:
		return m.addresses.Commander
	}
}

func (m *MasterLink) dial(ctx actor.Context, e link.Dial) {
	send, number, o := world.Sender(ctx), e.Link, m.options.Master
	m.dials[number] = m.W.Dial(transport.Target{URL: o.URL, Header: map[string]string{
		"authorization": o.Authorization.Reveal(), "source": o.Source, "instance": e.Instance, "user-agent": "control/" + m.options.Version,
	}}, func(l transport.Link, err error) { send(linkOpened{number: number, link: l, err: err}) })
}

func (m *MasterLink) opened(ctx actor.Context, msg linkOpened) {
	if m.dials[msg.number] == nil {
		return // the dial was abandoned, and its link with it
	}
	delete(m.dials, msg.number)
	if msg.link != nil {
		m.links[msg.number] = msg.link
	}
	m.step(ctx, link.Opened{Link: msg.number, Err: msg.err, Code: closeCode(msg.err)})
}

// close closes a link, or abandons its dial.
func (m *MasterLink) close(e link.Close) {
	if cancel := m.dials[e.Link]; cancel != nil {
		cancel()
	}
	if l := m.links[e.Link]; l != nil {
		l.Close(e.Code, e.Reason)
	}
	delete(m.dials, e.Link)
	delete(m.links, e.Link)
}

func (m *MasterLink) closeLinks() {
	for number := range m.dials {
		m.close(link.Close{Link: number})
	}
	for number := range m.links {
		m.close(link.Close{Link: number, Reason: "control stops"})
	}
}

// frame reads one packet of MASTER.
func (m *MasterLink) frame(ctx actor.Context, f linkFrame) {
	l := m.links[f.number]
	if l == nil {
		return // it was closed
	}
	l.Ack()
	p, err := codec.DecodeFromMaster(f.frame)
	if err == nil {
		m.step(ctx, link.Came{Link: f.number, Packet: p})
		return
	}
	broken := link.Broken{Link: f.number, Err: err}
	var invalid *codec.FieldError
	if errors.As(err, &invalid) {
		broken.Packet = invalid.Packet
	}
	m.step(ctx, broken)
}

func (m *MasterLink) send(ctx actor.Context, number int, p messages.FromControl) {
	l := m.links[number]
	if l == nil {
		return // it was closed by an effect before this one
	}
	frame, err := codec.EncodeFromControl(p)
	if err != nil {
		panic(err) // CONTROL made the packet
	}
	switch err := l.Send(frame); {
	case errors.Is(err, transport.ErrTooLarge): // the link is intact; only a bot can have made the packet so long
		m.Log.Error().Err(err).Str("packet", fmt.Sprintf("%T", p)).Msg("packet not sent")
	case err != nil:
		ctx.Send(ctx.Self(), linkEnded{number: number, err: err}) // the link's own report may be lost
		m.Log.Warn().Err(err).Str("packet", fmt.Sprintf("%T", p)).Msg("packet not sent")
	}
}

// sendInfo completes an info with this machine's data and times by its clock, and sends it.
func (m *MasterLink) sendInfo(ctx actor.Context, e link.SendInfo) {
	i := e.Info
	i.Hostname, i.Version, i.CPUs, i.MemoryBytes, i.Weight = m.options.Hostname, m.options.Version, m.options.CPUs, m.options.Memory, m.options.Master.Weight
	i.LastIdentify, i.Now = gate.ShownBy(e.Last, m.W.AtSteady), new(m.W.AtSteady(time.Now()))
	m.send(ctx, e.Link, i)
}

func (m *MasterLink) load() link.Loaded {
	data, err := m.W.Load(link.File)
	if err != nil || data == nil {
		return link.Loaded{Err: err}
	}
	memory := new(link.Memory)
	if err := json.Unmarshal(data, memory); err != nil {
		m.Log.Warn().Err(err).Str("file", link.File).Msg("starting as a new installation")
		return link.Loaded{}
	}
	return link.Loaded{Memory: memory}
}

func (m *MasterLink) save(ctx actor.Context, memory link.Memory) {
	send := world.Sender(ctx)
	m.W.Save(link.File, world.Encode(memory), func(err error) { send(linkSaved{err: err}) })
}

// closeCode returns the websocket close code of a link's end, or 0 if there is none.
func closeCode(err error) int {
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return 0
}
