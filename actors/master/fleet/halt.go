package fleet

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// fatal handles a machine's report of a token or of intents that Discord refuses: the whole fleet
// stops at the first one.
func (f *Fleet) fatal(e Fatal) {
	p := e.Packet
	if e.Times > 0 {
		f.raise(messages.MachineReported{Source: e.Source, Kind: "fatal", CloseCode: p.Code, Shards: p.Shards.String(), Err: p.Message, Times: plan.Times(e.Times)})
	}
	if plan.WrongSharding(p.Code) {
		f.askRecommended(p.Code)
	}
	if messages.FleetCode(p.Code) {
		f.halt(messages.Halt{Code: p.Code, Token: f.token, Epoch: f.epoch})
	}
}

// halt shuts every machine down, once. It lasts as long as the token: the machines remember it for
// MASTER's next run.
func (f *Fleet) halt(h messages.Halt) {
	if f.halted != nil || f.resumed.Lifts(h) {
		return
	}
	f.halted = &h
	f.raise(messages.FleetHalted{CloseCode: h.Code, Token: h.Token, Hint: plan.FatalHint(h.Code)})
	if f.paced() {
		f.do(Halt{})
	}
	for _, m := range f.inOrder() {
		m.granted, m.leaving = nil, nil
		if m.link != 0 {
			f.shutDown(m)
		}
	}
}

func (f *Fleet) shutDown(m *machine) {
	f.do(Send{Link: m.link, Packet: messages.Shutdown{ID: f.orderID(m), Reason: fmt.Sprintf("halted: a shard was closed with %d", f.halted.Code), Halt: f.halted}})
}

// rememberResumed takes a machine's report of the last halt that was lifted.
func (f *Fleet) rememberResumed(i messages.Info) {
	if r := i.Resumed; r != nil && r.Token == f.token && (f.resumed == nil || r.Epoch > f.resumed.Epoch) {
		f.resumed = r
	}
}

// judgeHalts adopts the halts that machines remember, unless an operator lifted them while the
// machines were away; then it reports that to them. In state Gathering it is too early: a machine
// may still come that knows of it.
func (f *Fleet) judgeHalts() {
	for _, m := range f.inOrder() {
		switch h := m.halted; {
		case h == nil || h.Token != f.token:
		case f.resumed.Lifts(*h):
			m.halted = nil
			f.sendResumed(m)
		case f.state == Serving:
			f.halt(*h)
		}
	}
}

// resume ends the halt, by order of an operator: the machines forget it, and everything starts.
func (f *Fleet) resume() error {
	if f.halted == nil {
		return errors.New("the fleet is not halted")
	}
	h := *f.halted
	f.resumed, f.halted = &h, nil
	f.raise(messages.FleetResumed{CloseCode: h.Code, Token: h.Token})
	if !f.budgeted { // a halted fleet does not ask
		f.ask()
	}
	f.epoch++ // a halt from now on is another one
	if f.paced() {
		f.do(Resume{})
	}
	for _, m := range f.inOrder() {
		m.halted = nil
		f.greet(m)
		f.sendResumed(m)
	}
	f.settle()
	return nil
}

func (f *Fleet) sendResumed(m *machine) {
	if m.link == 0 {
		return
	}
	args, err := json.Marshal(f.resumed)
	if err != nil {
		panic(err) // numbers and a text
	}
	f.do(Send{Link: m.link, Packet: messages.Command{ID: f.orderID(m), Name: messages.CommandResumeFleet, Args: args}})
}
