package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// crowd simulates machines that pace themselves, each by its own Pacer, and bots that use permits
// at any moment they may, report it or not, and die.
type crowd struct {
	t       *testing.T
	rand    *rand.Rand
	pacers  []*Pacer
	now     time.Time
	next    int                  // number of the next request
	asked   map[string]time.Time // not granted so far
	owner   map[string]int       // of every request
	pending []pending            // what bots will do
	used    map[int]time.Time    // by bucket, fleet-wide
	machine map[string]int       // the machine of its pacer
	buckets int
}

// pending is an identify, or a report, that will happen.
type pending struct {
	at     time.Time
	id     string
	bucket int
	report bool
	sent   bool
}

const owners = 4

func newCrowd(t *testing.T, seed uint64, machines int) *crowd {
	c := &crowd{t: t, rand: rand.New(rand.NewPCG(seed, 1)), now: noon, asked: map[string]time.Time{}, owner: map[string]int{}, used: map[int]time.Time{}, machine: map[string]int{}}
	c.buckets = 1 + c.rand.IntN(4)
	for i := range machines {
		p := NewPacer(c.buckets, 2*time.Second, 0)
		// two machines differ by at most 500 ms
		skew := time.Duration(c.rand.IntN(500)-250) * time.Millisecond
		p.Alone(messages.Place{Index: i, Of: machines}, skew)
		c.pacers = append(c.pacers, p)
	}
	return c
}

// step lets a moment pass: some bots ask or die, every pacer grants, and what is due happens.
func (c *crowd) step(restless bool) {
	for i, p := range c.pacers {
		if restless && c.rand.IntN(10) == 0 {
			c.next++
			id := fmt.Sprint(c.next)
			o := c.rand.IntN(owners)
			c.asked[id], c.owner[id], c.machine[id] = c.now, o, i
			causes := []messages.IdentifyCause{messages.CauseStart, messages.CauseCrash, messages.CauseReidentify, messages.CauseOperator}
			p.Ask(Want{ID: id, Owner: fmt.Sprint(o), Shard: c.rand.IntN(32), Cause: causes[c.rand.IntN(4)], Since: c.now})
		}
		if restless && c.rand.IntN(100) == 0 {
			c.kill(i, c.rand.IntN(owners))
		}
		grants, wake := p.Next(c.now)
		for _, g := range grants {
			c.granted(g)
		}
		if len(p.waiting.where) > 0 && wake.IsZero() {
			c.t.Fatalf("%d wait, and will never be asked for again", len(p.Waiting()))
		}
	}
	c.happen()
	c.now = c.now.Add(time.Duration(1+c.rand.IntN(100)) * time.Millisecond)
}

// kill ends a bot: it waits no more. A permit it holds it may have used.
func (c *crowd) kill(machine, owner int) {
	c.pacers[machine].Drop(fmt.Sprint(owner))
	for id := range c.asked {
		if c.owner[id] == owner && c.machine[id] == machine {
			delete(c.asked, id)
		}
	}
}

// granted decides the outcome of a permit: used at any moment of its time, or not; and whether and
// when that is reported.
func (c *crowd) granted(g Grant) {
	delete(c.asked, g.ID)
	at := c.now.Add(time.Duration(c.rand.Int64N(int64(g.UseWithin) + 1)))
	sent := c.rand.IntN(4) > 0
	if sent {
		c.pending = append(c.pending, pending{at: at, id: g.ID, bucket: g.Shard % c.buckets})
	}
	if c.rand.IntN(4) > 0 {
		c.pending = append(c.pending, pending{at: at.Add(time.Duration(c.rand.IntN(6000)) * time.Millisecond), id: g.ID, report: true, sent: sent})
	}
}

// happen does what falls due, in the order of time.
func (c *crowd) happen() {
	for {
		first := -1
		for i, p := range c.pending {
			if !p.at.After(c.now) && (first < 0 || p.at.Before(c.pending[first].at)) {
				first = i
			}
		}
		if first < 0 {
			return
		}
		p := c.pending[first]
		c.pending = append(c.pending[:first], c.pending[first+1:]...)
		if p.report {
			c.pacers[c.machine[p.id]].Report(p.id, p.sent, p.at, time.Time{})
			continue
		}
		if gap := p.at.Sub(c.used[p.bucket]); gap < IdentifyEvery {
			c.t.Fatalf("bucket %d was used twice within %v, at %v", p.bucket, gap, p.at.Sub(noon))
		}
		c.used[p.bucket] = p.at
	}
}

// Whatever bots ask, report, drop and die of: no bucket is used twice within 5 s, by one machine or
// by several in their slots, and no request waits forever.
func TestPacerKeepsTheLimit(t *testing.T) {
	for _, machines := range []int{1, 2, 3} {
		t.Run(fmt.Sprintf("%d machines", machines), func(t *testing.T) {
			for seed := range uint64(60) {
				c := newCrowd(t, seed, machines)
				for range 1500 {
					c.step(true)
				}
				// each may wait for a lost permit and for a slot
				most := time.Duration(len(c.asked)+machines) * (9 + 6*time.Duration(machines)) * time.Second
				for calm := c.now; len(c.asked) > 0; c.step(false) {
					if c.now.Sub(calm) > most {
						t.Fatalf("seed %d: %d still wait after %v", seed, len(c.asked), most)
					}
				}
				if c.next < 50 {
					t.Fatalf("seed %d: only %d requests", seed, c.next)
				}
			}
		})
	}
}
