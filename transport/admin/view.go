package admin

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// ClustersAnswer is GET /api/v1/clusters.
type ClustersAnswer struct {
	LastEvent uint64                 `json:"last_event"`
	Clusters  []messages.ClusterView `json:"clusters"`
}

// ShardsAnswer is GET /api/v1/shards.
type ShardsAnswer struct {
	LastEvent uint64      `json:"last_event"`
	Shards    []ShardView `json:"shards"`
}

// ShardView is one shard, on its own.
type ShardView struct {
	Shard     int                   `json:"shard"`
	Cluster   messages.ClusterID    `json:"cluster"`
	State     messages.ShardState   `json:"state"`
	LatencyMS messages.Milliseconds `json:"latency_ms"`
}

// SessionsAnswer is GET /api/v1/sessions.
type SessionsAnswer struct {
	Sessions []messages.SessionView `json:"sessions"`
}

// IdentifyAnswer is GET /api/v1/identify: the identifies of this machine since the start of
// CONTROL.
type IdentifyAnswer struct {
	Since      time.Time                      `json:"since"`
	Identifies int                            `json:"identifies"`
	ByCause    map[messages.IdentifyCause]int `json:"by_cause"`
	WaitedMS   messages.Milliseconds          `json:"waited_ms"` // on average
}

// with passes the view of the machine to show.
func (s *Server) with(w http.ResponseWriter, r *http.Request, show func(v messages.View)) {
	v, err := s.machineView(r.Context())
	if err != nil {
		failed(w, err)
		return
	}
	show(v)
}

// used returns a cluster with the kernel's figures of its process.
func used(c messages.ClusterView) messages.ClusterView {
	if u, known := proc.Usage(c.PID); known {
		c.UptimeMS, c.CPUMS, c.Resident = messages.Millis(u.Age), messages.Millis(u.CPU), u.Resident
	}
	return c
}

// listed returns clusters in the form of a list.
func listed(all []messages.ClusterView) []messages.ClusterView {
	lines := make([]messages.ClusterView, len(all))
	for i, c := range all {
		c.GaveUp = nil
		lines[i] = used(c)
	}
	return lines
}

func (s *Server) machine(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(v messages.View) {
		v.Clusters = listed(v.Clusters)
		answer(w, http.StatusOK, v)
	})
}

func (s *Server) clusters(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(v messages.View) { answer(w, http.StatusOK, ClustersAnswer{v.LastEvent, listed(v.Clusters)}) })
}

func (s *Server) cluster(w http.ResponseWriter, r *http.Request) {
	id, ok := number(w, r, "cluster")
	if !ok {
		return
	}
	s.with(w, r, func(v messages.View) {
		at := slices.IndexFunc(v.Clusters, func(c messages.ClusterView) bool { return int(c.Cluster) == id })
		if at < 0 {
			refuse(w, http.StatusNotFound, string(messages.RefusedUnknown), fmt.Sprintf("cluster %d is not of this machine", id))
			return
		}
		answer(w, http.StatusOK, used(v.Clusters[at]))
	})
}

func (s *Server) shards(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(v messages.View) {
		all := ShardsAnswer{LastEvent: v.LastEvent, Shards: []ShardView{}}
		for _, c := range v.Clusters {
			for _, shard := range c.Shards.Shards() {
				all.Shards = append(all.Shards, shardOf(c, shard))
			}
		}
		answer(w, http.StatusOK, all)
	})
}

func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(v messages.View) {
		answer(w, http.StatusOK, SessionsAnswer{append([]messages.SessionView{}, v.Sessions...)})
	})
}

func (s *Server) shard(w http.ResponseWriter, r *http.Request) {
	shard, ok := number(w, r, "shard")
	if !ok {
		return
	}
	s.with(w, r, func(v messages.View) {
		c := clusterOf(v, shard)
		if c == nil {
			refuse(w, http.StatusNotFound, string(messages.RefusedUnknown), fmt.Sprintf("shard %d is not of this machine", shard))
			return
		}
		answer(w, http.StatusOK, shardOf(*c, shard))
	})
}

func (s *Server) identify(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(v messages.View) {
		n := v.Counters
		is := IdentifyAnswer{Since: v.Machine.Started, ByCause: n.Identifies}
		for _, sent := range n.Identifies {
			is.Identifies += sent
		}
		if n.WaitCount > 0 {
			is.WaitedMS = messages.Millis(n.WaitSum) / messages.Milliseconds(n.WaitCount)
		}
		answer(w, http.StatusOK, is)
	})
}

// clusterOf returns the cluster of a shard; nil where it is not of this machine.
func clusterOf(v messages.View, shard int) *messages.ClusterView {
	for i := range v.Clusters {
		if v.Clusters[i].Shards.Contains(shard) {
			return &v.Clusters[i]
		}
	}
	return nil
}

// shardOf returns one shard of a cluster.
func shardOf(c messages.ClusterView, shard int) ShardView {
	at := shard - c.Shards.First
	return ShardView{Shard: shard, Cluster: c.Cluster, State: messages.ShardStateOf(c.States[at]), LatencyMS: c.LatencyMS[at]}
}
