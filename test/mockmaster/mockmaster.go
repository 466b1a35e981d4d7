// Package mockmaster is a scripted MASTER: it sends what a test asks for, has upstream's quirks as
// named options, and records what it received. It works on links alone, so it serves simulated ones
// and real ones.
package mockmaster

import (
	"sync"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/master"
)

// Options are a MASTER's answers and its quirks. The zero value is upstream's MASTER as shipped
// (PROTOCOL A6).
type Options struct {
	Authorization  string
	Initialise     messages.Initialise // sent to every CONTROL that is accepted
	SilentGreeting bool                // sends no initialise at all
	TakesInfo      bool                // upstream answers op 0 with a malformed error
	AcksBeats      bool                // upstream acks nothing
	// Share returns a share of the day's budget for an ack; nil, or a nil share: there is none in it.
	Share func() *messages.BudgetShare
	// Permit answers a request for an identify; nil, or a nil answer: there is no answer.
	Permit       func(messages.PermitRequest) *messages.PermitAnswer
	KnownForEver bool // upstream's bug: a source that was ever connected is refused with 4003
}

// Upstream returns the options of PROTOCOL A6: no shard_count as shipped, no features, op 0
// refused, no ack, a known source refused forever.
func Upstream(token messages.Secret) Options {
	return Options{Initialise: messages.Initialise{Token: token, HeartbeatInterval: new(messages.Milliseconds(50000))}, KnownForEver: true}
}

// Master is one scripted MASTER. Its methods may be called from anywhere.
type Master struct {
	options Options

	mu       sync.Mutex
	links    map[string]transport.Link // by source
	known    map[string]bool
	heard    map[string][]messages.FromControl
	greeting map[string]transport.Greeting
	changed  chan struct{} // closed and replaced when a packet arrives
}

// New returns a MASTER; pass its Accept to a listener.
func New(o Options) *Master {
	return &Master{options: o, links: map[string]transport.Link{}, known: map[string]bool{}, heard: map[string][]messages.FromControl{},
		greeting: map[string]transport.Greeting{}, changed: make(chan struct{})}
}

// Accept takes one link, as upstream does: it is open before it is refused.
func (m *Master) Accept(l transport.Link, g transport.Greeting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.options.Authorization != "" && g.Authorization != m.options.Authorization:
		l.Receive(func([]byte) {}, func(error) {})
		l.Close(messages.CloseUnauthorised, "Unauthorized")
		return
	case g.Source == "":
		l.Receive(func([]byte) {}, func(error) {})
		l.Close(messages.CloseMalformedRequest, "Malformed Connection Request")
		return
	case m.links[g.Source] != nil || m.options.KnownForEver && m.known[g.Source]:
		l.Receive(func([]byte) {}, func(error) {})
		l.Close(messages.CloseAlreadyConnected, "This host is already connected to this MASTER server")
		return
	}
	m.links[g.Source], m.known[g.Source], m.greeting[g.Source] = l, true, g
	l.Receive(
		func(frame []byte) { l.Ack(); m.hear(g.Source, l, frame) },
		func(error) { m.gone(g.Source, l) })
	if !m.options.SilentGreeting {
		send(l, m.options.Initialise)
	}
}

func (m *Master) hear(source string, l transport.Link, frame []byte) {
	p, err := master.DecodeFromControl(frame)
	_, info := p.(messages.Info)
	if err != nil || info && !m.options.TakesInfo {
		send(l, messages.MasterError{Code: messages.CodeMalformed, Message: "The server recieved a malformed packet"})
	}
	if b, beat := p.(messages.Heartbeat); beat && m.options.AcksBeats {
		ack := messages.HeartbeatAck{Seq: b.Seq}
		if m.options.Share != nil {
			ack.Share = m.options.Share()
		}
		send(l, ack)
	}
	if ask, permit := p.(messages.PermitRequest); permit && m.options.Permit != nil {
		if answer := m.options.Permit(ask); answer != nil {
			send(l, *answer)
		}
	}
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.heard[source] = append(m.heard[source], p)
		m.notify()
	}
}

func (m *Master) gone(source string, l transport.Link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.links[source] == l {
		delete(m.links, source)
	}
	m.notify()
}

func (m *Master) notify() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// Change replaces the options, from the next link on.
func (m *Master) Change(change func(*Options)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.options)
}

// Send sends a packet to a CONTROL and reports whether it is linked.
func (m *Master) Send(source string, p messages.FromMaster) bool {
	l := m.Link(source)
	if l != nil {
		send(l, p)
	}
	return l != nil
}

// Link returns the link of a CONTROL, for bytes that no packet has; nil: it is not linked.
func (m *Master) Link(source string) transport.Link {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.links[source]
}

// Heard returns the packets of a CONTROL so far, in order.
func (m *Master) Heard(source string) []messages.FromControl {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]messages.FromControl(nil), m.heard[source]...)
}

// Greeting returns the last introduction of a CONTROL.
func (m *Master) Greeting(source string) transport.Greeting {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.greeting[source]
}

// Changed returns a channel that is closed when a packet arrives or a link ends; for tests with
// real links.
func (m *Master) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

func send(l transport.Link, p messages.FromMaster) {
	frame, err := master.EncodeFromMaster(p)
	if err != nil {
		panic(err) // an error of the test
	}
	_ = l.Send(frame) // the link may end
}
