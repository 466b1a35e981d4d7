//go:build e2e

package e2e

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// stage is a scripted machine behind a real admin server.
type stage struct {
	mu        sync.Mutex
	view      messages.View
	followers []messages.Follow
	kept      []messages.EventRecord
	restless  bool // its figures change at every view
	forgetful bool // the next followers have missed events

	t      *testing.T
	server *admin.Server
}

// perCluster is the number of shards in each of its clusters.
const perCluster = 16

// set starts a machine whose shards are all READY, and returns the page's address.
func set(t *testing.T, shards int, o admin.Options) (s *stage, at string) {
	t.Helper()
	now := time.Now().UTC()
	s = &stage{t: t, view: messages.View{LastEvent: 1, Machine: messages.MachineView{Source: "stage", Version: "1.0", Host: "box", PID: 1, Started: now.Add(-26 * time.Hour),
		Master: messages.MasterView{Up: true, Since: now}, ShardCount: shards, MaxConcurrency: 16, ShardsPerCluster: perCluster, Shards: shards, ShardsReady: shards}}}
	for first := 0; first < shards; first += perCluster {
		s.view.Clusters = append(s.view.Clusters, messages.ClusterView{
			Cluster: messages.ClusterID(first / perCluster), Shards: messages.ShardRange{First: first, Last: first + perCluster - 1}, State: messages.ClusterServing, Since: now,
			ShardsReady: perCluster, States: string(slices.Repeat([]byte{'R'}, perCluster)), LatencyMS: slices.Repeat([]messages.Milliseconds{42}, perCluster),
			Events: slices.Repeat([]float64{12.5}, perCluster),
		})
	}
	s.view.Machine.Clusters.Serving = len(s.view.Clusters)
	at = s.serve("127.0.0.1:0", o)
	return s, at
}

// serve starts the admin server and returns its address.
func (s *stage) serve(listen string, o admin.Options) (at string) {
	s.t.Helper()
	s.server = admin.New(o, s, nil)
	s.t.Cleanup(s.server.Close)
	at, err := s.server.Listen(listen)
	if err != nil {
		s.t.Fatal(err)
	}
	return at
}

// Look is part of admin.Control.
func (s *stage) GetView(m messages.GetView) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.view
	v.At, v.Clusters = time.Now().UTC(), slices.Clone(v.Clusters)
	for i := range v.Clusters {
		c := &v.Clusters[i]
		c.LatencyMS, c.Events = slices.Clone(c.LatencyMS), slices.Clone(c.Events)
		for i := range c.LatencyMS {
			if s.restless {
				c.LatencyMS[i] += messages.Milliseconds(rand.IntN(100))
			}
		}
	}
	m.Answer(v)
}

// Follow is part of admin.Control.
func (s *stage) Ask(messages.Ask) {}

func (s *stage) Follow(m messages.Follow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := messages.EventBatch{Last: s.view.LastEvent, Gap: s.forgetful && m.After > 1 && m.After < s.view.LastEvent}
	if m.After > 0 && !batch.Gap {
		batch.Events = slices.DeleteFunc(slices.Clone(s.kept), func(e messages.EventRecord) bool { return e.ID <= m.After })
	}
	if m.Deliver(batch) {
		s.followers = append(s.followers, m)
	}
}

// Order is part of admin.Control.
func (s *stage) Order(m messages.Order) { m.Answer(messages.Verdict{Refusal: messages.RefusedNow}) }

// happens changes the machine and sends the event.
func (s *stage) happens(e messages.Event, change func(v *messages.View)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.view)
	s.view.LastEvent++
	batch := messages.EventRecord{ID: s.view.LastEvent, At: time.Now().UTC(), Machine: "stage", Event: e}
	if _, level := e.Event(); level > messages.LevelDebug {
		s.kept = append(s.kept, batch)
	}
	s.followers = slices.DeleteFunc(s.followers, func(f messages.Follow) bool {
		return !f.Deliver(messages.EventBatch{Events: []messages.EventRecord{batch}, Last: batch.ID})
	})
}

// turn puts a shard into another state, with other figures.
func (s *stage) turn(shard int, state messages.ShardState) {
	id := shard / perCluster
	s.happens(messages.ShardMoved{Cluster: messages.ClusterID(id), Shard: shard, State: state}, func(v *messages.View) {
		c := &v.Clusters[id]
		states := []byte(c.States)
		states[shard%perCluster] = messages.ShardLetter(state)
		c.States = string(states)
		ready := strings.Count(c.States, "R")
		v.Machine.ShardsReady += ready - c.ShardsReady
		c.ShardsReady = ready
		c.LatencyMS[shard%perCluster] += 7
		c.Events[shard%perCluster]++
	})
}

// giveUp makes a cluster fail after this output.
func (s *stage) giveUp(id int, output string) {
	up := messages.ClusterGaveUp{Cluster: messages.ClusterID(id), Shards: s.view.Clusters[id].Shards.String(), Attempts: 4, Cause: messages.CauseExited,
		Causes: []string{"exited: first", "exited: second", "exited: third", "exited: " + output}, Output: output}
	s.happens(up, func(v *messages.View) {
		c := &v.Clusters[id]
		ready := c.ShardsReady
		c.State, c.PID, c.ShardsReady, c.GaveUp = messages.ClusterFailed, 0, 0, &up
		c.States = string(slices.Repeat([]byte{'.'}, perCluster))
		c.Death = &messages.Death{At: time.Now().UTC(), Cause: messages.CauseExited, Err: output, Exit: output}
		v.Machine.Clusters.Failed++
		v.Machine.Clusters.Serving--
		v.Machine.ShardsReady -= ready
	})
}

// fleetStage is a scripted MASTER.
type fleetStage struct {
	mu sync.Mutex
	messages.FleetView
	followers []messages.Follow
}

// OrderFleet is part of admin.Fleet; no page sends an order.
func (f *fleetStage) OrderFleet(m messages.FleetOrder) {
	m.Answer(messages.Verdict{Refusal: messages.RefusedNow, Reason: "it is a stage"})
}

// GetFleetView is part of admin.Fleet.
func (f *fleetStage) GetFleetView(m messages.GetFleetView) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.FleetView
	v.At, v.Machines = time.Now(), slices.Clone(v.Machines)
	m.Answer(v)
}

// Follow is part of admin.Fleet.
func (f *fleetStage) Follow(m messages.Follow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.Deliver(messages.EventBatch{Last: 1}) {
		f.followers = append(f.followers, m)
	}
}

// lose breaks the link to a machine.
func (f *fleetStage) lose(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Machines[i].Linked = false
	f.ShardsReady -= f.Machines[i].ShardsReady
	batch := messages.EventRecord{ID: 2, At: time.Now(), Event: messages.MachineLost{Source: f.Machines[i].Source}}
	for _, follower := range f.followers {
		follower.Deliver(messages.EventBatch{Events: []messages.EventRecord{batch}, Last: 2})
	}
}
