package master

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// seat is a CONTROL that was linked once in this MASTER's life, by its source.
type seat struct {
	source   string
	instance string
	remote   string
	pid      *actor.PID
	link     transport.Link // nil: away
	word
	given

	losses int       // of its link; tells one wait for it from another
	lostAt time.Time // when it was lost last
	due    time.Time // until when it may return
	over   bool      // its grace: it did not return in time
	lapsed time.Time // when what it served was given away; zero: it was not
}

// word is what a CONTROL said of itself last. It stands while the machine is away.
type word struct {
	informed bool // since it was linked
	assumed  bool // it did not: it says nothing of itself
	host     string
	capacity plan.Capacity
	paces    bool                 // itself: it asks for no permits
	obeys    bool                 // it announced that it knows orders
	ranges   []messages.RangeInfo // what it serves
	shards   int                  // and of how many shards in all,
	per      int                  // in clusters of how many
	knows    messages.Place       // the slots it believes to have
	halted   *messages.Halt       // as it said first
	counts   counted              // its figures
}

// given is what we gave a machine, whether it says so yet or not.
type given struct {
	epoch    int64 // told last
	granted  []messages.ShardRange
	leaving  []messages.ShardRange             // of these: it is told to let them go
	turns    map[messages.ShardRange]time.Time // when those of the ranges it is to start itself began
	spare    bool                              // told to be one
	refused  bool                              // it refused a range of late
	outdated bool                              // serves by another sharding than the fleet's: that has to go first
	drained  *bool                             // by order of an operator: it is given nothing; nil: not known, the machine will say
	place    messages.Place                    // the slots it is to have; zero: none yet
	gift     messages.Place                    // the half that it gives away once it knows its place; zero: none
}

func newSeat(source string) *seat {
	return &seat{source: source, given: given{turns: map[messages.ShardRange]time.Time{}}}
}

// state is whether the machine is reached.
func (s *seat) state() messages.MachineState {
	switch {
	case s.link != nil:
		return messages.MachineIsLinked
	case s.over:
		return messages.MachineIsLost
	default:
		return messages.MachineIsAway
	}
}

// ready reports whether a machine can be given shards: it said what it is, and knows its slots. One
// that paces itself is told them before its first shard, and may know nothing of such (PROTOCOL B1:
// machine is a field like any other, which a peer may ignore): it starts in its turn, and MASTER
// grants nothing while it is away.
func (s *seat) ready() bool {
	return s.link != nil && s.informed && (s.paces || s.settled())
}

// settled reports whether a machine knows the slots that it is to have.
func (s *seat) settled() bool { return s.place.Of > 0 && s.knows == s.place }

// takes reports whether a machine may be given shards now.
func (s *seat) takes() bool {
	return s.ready() && !s.refused && !s.outdated && !s.isDrained() && len(s.leaving) == 0
}

func (s *seat) isDrained() bool { return s.drained != nil && *s.drained }

// alone reports whether a machine takes itself for that, as far as is known: it serves, and has never heard of slots.
func (s *seat) alone() bool { return s.knows.Of == 0 && len(s.ranges) > 0 }

// stranger reports whether a greeting is another CONTROL's than the one that had this seat: a new host of the old name, or two hosts that share one by mistake.
func (s *seat) stranger(g transport.Greeting) bool {
	return s.link == nil && s.instance != "" && g.Instance != s.instance
}

// places appends the slots of a machine: those it is to have, and those it may believe to have.
func (s *seat) places(all []messages.Place) []messages.Place {
	if s.place.HasSlots() {
		all = append(all, s.place)
	}
	if s.knows.HasSlots() && s.knows != s.place {
		all = append(all, s.knows)
	}
	return all
}

// stateOf is how far a machine is with a range; "": it does not serve it.
func (s *seat) stateOf(g messages.ShardRange) (state messages.RangeState) {
	for _, r := range s.ranges {
		if r.Range.Overlaps(g) && state != messages.RangeConnecting {
			state = r.State
		}
	}
	return state
}

func (s *seat) cannotObey() error {
	return fmt.Errorf("machine %s takes no orders: its CONTROL did not announce %q", s.source, messages.FeatureOrders)
}
