package fleet

import (
	"fmt"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// machine is a CONTROL that was linked once in this run of MASTER.
type machine struct {
	source   string
	instance string
	remote   string
	link     int // 0: away
	reported
	assigned

	losses     int       // of its link
	lostAt     time.Time // last
	returnBy   time.Time // the end of its grace
	overdue    bool      // it did not return within its grace
	replacedAt time.Time // when its ranges were placed elsewhere; zero: they were not
}

// reported is a CONTROL's last report of itself. It remains while the machine is away.
type reported struct {
	informed    bool // it is linked, and has reported what it is
	assumed     bool // it reports nothing of itself
	host        string
	capacity    plan.Capacity
	pacesItself bool                 // it asks for no permits
	takesOrders bool                 // it announced the feature orders
	ranges      []messages.RangeInfo // that it serves
	shards      int                  // of the whole bot, as it was cut for these ranges
	perCluster  int                  // the same: shards of a cluster
	believes    messages.Place       // the slots it believes to have
	halted      *messages.Halt       // as it reported first
	counts      Counted
}

// assigned holds what MASTER assigned to a machine, whether the machine has confirmed it or not.
type assigned struct {
	epoch    int64 // that it was greeted with
	granted  []messages.ShardRange
	leaving  []messages.ShardRange             // of these: it was ordered to let them go
	turns    map[messages.ShardRange]time.Time // when the turn of a range began; only of a machine that paces itself
	spare    bool                              // it was ordered to be one
	refused  bool                              // it refused a range recently
	outdated bool                              // it serves by another sharding than the fleet's, which has to end first
	drained  *bool                             // by an operator: it gets no ranges; nil: unknown until the machine reports
	place    messages.Place                    // its slots; zero: none
	donation messages.Place                    // the half that it gives away once it knows its place; zero: none
}

func newMachine(source string) *machine {
	return &machine{source: source, assigned: assigned{turns: map[messages.ShardRange]time.Time{}}}
}

// state returns whether the machine is linked, away or lost.
func (m *machine) state() messages.MachineState {
	switch {
	case m.link != 0:
		return messages.MachineIsLinked
	case m.overdue:
		return messages.MachineIsLost
	default:
		return messages.MachineIsAway
	}
}

// ready reports whether a machine can be given shards: it reported what it is, and knows its slots.
// One that paces itself receives them before its first shard, and may ignore them (PROTOCOL B1:
// machine is a field like any other): it starts in its turn, and MASTER grants nothing while it is
// away.
func (m *machine) ready() bool { return m.informed && (m.pacesItself || m.settled()) }

// settled reports whether a machine knows the slots that are assigned to it.
func (m *machine) settled() bool { return m.place.Of > 0 && m.believes == m.place }

// takes reports whether a machine may be given shards now.
func (m *machine) takes() bool {
	return m.ready() && !m.refused && !m.outdated && !m.isDrained() && len(m.leaving) == 0
}

func (m *machine) isDrained() bool { return m.drained != nil && *m.drained }

// alone reports whether a machine believes to be the only one: it serves, and has never received
// slots.
func (m *machine) alone() bool { return m.believes.Of == 0 && len(m.ranges) > 0 }

// stranger reports whether another CONTROL than this machine's has this instance: a new host of the
// same name, or two hosts that share one by mistake.
func (m *machine) stranger(instance string) bool {
	return m.instance != "" && instance != m.instance
}

// places appends the slots of a machine: those assigned to it, and those it may believe to have.
func (m *machine) places(all []messages.Place) []messages.Place {
	if m.place.HasSlots() {
		all = append(all, m.place)
	}
	if m.believes.HasSlots() && m.believes != m.place {
		all = append(all, m.believes)
	}
	return all
}

// stateOf returns a machine's state of a range; "": it does not serve it.
func (m *machine) stateOf(g messages.ShardRange) (state messages.RangeState) {
	for _, r := range m.ranges {
		if r.Range.Overlaps(g) && state != messages.RangeConnecting {
			state = r.State
		}
	}
	return state
}

func (m *machine) cannotObey() error {
	return fmt.Errorf("machine %s takes no orders: its CONTROL did not announce %q", m.source, messages.FeatureOrders)
}
