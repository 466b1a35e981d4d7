package plan

import (
	"fmt"

	"github.com/discluster/control/messages"
)

// Machine is the state that an operator's order is judged by.
type Machine struct {
	Clusters map[messages.ClusterID]messages.ClusterState
	Rolling  bool // a rolling restart is under way
	Linked   bool // to a MASTER that is obeyed
}

// Judge decides whether an order is passed on, by what is known here. The actor that carries the
// order out may still refuse it, by an event.
func Judge(d messages.Directive, m Machine) (refusal messages.Refusal, reason string) {
	name, id := d.Order()
	switch {
	case name == messages.OrderAccept && m.Linked:
		return messages.RefusedNow, "MASTER is linked, and obeyed: there is nothing to accept"
	case name == messages.OrderAccept:
		return "", ""
	case id == nil:
		return judgeRolling(m)
	}
	state, known := m.Clusters[*id]
	switch {
	case !known:
		return messages.RefusedUnknown, fmt.Sprintf("cluster %s is not of this machine", *id)
	case name != messages.OrderRestart && (state == messages.ClusterStopped || state == messages.ClusterFailed):
		return messages.RefusedNow, fmt.Sprintf("cluster %s is %s: it has no process", *id, state)
	}
	return "", ""
}

func judgeRolling(m Machine) (messages.Refusal, string) {
	if m.Rolling {
		return messages.RefusedNow, "a rolling restart is under way"
	}
	for _, state := range m.Clusters {
		if state == messages.ClusterServing {
			return "", ""
		}
	}
	return messages.RefusedNow, "no cluster serves: there is nothing to restart"
}
