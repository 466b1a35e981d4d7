package link

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/discluster/control/messages"
)

// command begins an operator's command that MASTER passed on (PROTOCOL B1, op 2). The Commander
// gets those that concern clusters.
func (l *Link) command(p messages.Command) {
	var err error
	ack := messages.Ack{ID: p.ID, OK: new(true)}
	switch p.Name {
	case messages.CommandStatus:
		ack.Result, err = json.Marshal(messages.Heartbeat{Seq: l.seq, Ranges: l.status.Ranges, Clusters: l.status.Clusters, ShardsReady: l.status.ShardsReady})
	case messages.CommandResumeFleet:
		var h messages.Halt
		if err = json.Unmarshal(p.Args, &h); err == nil {
			l.resume(h)
		}
	case messages.CommandRestartCluster, messages.CommandRollingRestart:
		l.orders.commands = append(l.orders.commands, p.ID)
		l.deliver(Commander, p)
		return
	default:
		err = fmt.Errorf("unknown command %.60q", p.Name)
	}
	if err != nil {
		l.refuse("command "+p.Name, p.ID, nil, err)
		return
	}
	l.answer(ack)
}

// commanded sends MASTER the progress or the outcome of a command.
func (l *Link) commanded(ack messages.Ack) {
	if ack.OK == nil {
		l.send(ack)
		return
	}
	if i := slices.Index(l.orders.commands, ack.ID); i >= 0 {
		l.orders.commands = slices.Delete(l.orders.commands, i, i+1)
	}
	if l.link == 0 {
		l.orders.unsent = append(l.orders.unsent, ack)
	}
	l.answer(ack)
}

// sendUnsent sends the outcomes of commands that ended without a link: no other packet shows them.
func (l *Link) sendUnsent() {
	for _, ack := range l.orders.unsent {
		l.send(ack)
	}
	l.orders.unsent = nil
}
