package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/discluster/control/messages"
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
	Events    float64               `json:"events_per_second"` // -1: unknown
	// events that the bot has not acknowledged, and the age of the oldest; absent: unknown
	Waiting   *int                  `json:"events_waiting,omitempty"`
	WaitingMS messages.Milliseconds `json:"events_waiting_ms,omitempty"`
	Lagging   bool                  `json:"lagging,omitempty"`
	Deaf      bool                  `json:"deaf,omitempty"`
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

// listed returns clusters as a list shows them: without the figures of single shards unless
// figures.
func (s *Server) listed(all []messages.ClusterView, figures bool) []messages.ClusterView {
	lines := append([]messages.ClusterView{}, all...)
	for i := range lines {
		lines[i].GaveUp = nil
		if !figures {
			lines[i].LatencyMS, lines[i].Events, lines[i].Waiting, lines[i].WaitingMS = nil, nil, nil, nil
		}
	}
	s.usages.fill(lines)
	return lines
}

// figures reads whether a list has the figures of single shards (?shard_figures=false: it has not),
// and answers for a value that is none. They are most of the list of a machine with many shards.
func figures(w http.ResponseWriter, r *http.Request) (figures, ok bool) {
	value := r.URL.Query().Get("shard_figures")
	if value == "" {
		return true, true
	}
	figures, err := strconv.ParseBool(value)
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_query", fmt.Sprintf("shard_figures %.40q: want true or false", value))
	}
	return figures, err == nil
}

func (s *Server) machine(w http.ResponseWriter, r *http.Request) {
	figures, ok := figures(w, r)
	if !ok {
		return
	}
	s.with(w, r, func(v messages.View) {
		v.Clusters = s.listed(v.Clusters, figures)
		show(w, r, v, v.At)
	})
}

func (s *Server) clusters(w http.ResponseWriter, r *http.Request) {
	figures, ok := figures(w, r)
	if !ok {
		return
	}
	s.with(w, r, func(v messages.View) {
		show(w, r, ClustersAnswer{v.LastEvent, s.listed(v.Clusters, figures)}, time.Time{})
	})
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
		c := v.Clusters[at]
		one := used{}
		one.Used, one.known = s.usages.ask(c.PID)
		one.show(&c)
		show(w, r, c, time.Time{})
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
		show(w, r, all, time.Time{})
	})
}

func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	s.with(w, r, func(v messages.View) {
		show(w, r, SessionsAnswer{append([]messages.SessionView{}, v.Sessions...)}, time.Time{})
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
		show(w, r, shardOf(*c, shard), time.Time{})
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
		show(w, r, is, time.Time{})
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
	v := ShardView{Shard: shard, Cluster: c.Cluster, State: messages.ShardStateOf(c.States[at]), LatencyMS: c.LatencyMS[at], Events: c.Events[at],
		Lagging: slices.Contains(c.Lagging, shard), Deaf: slices.Contains(c.Deaf, shard)}
	if at < len(c.Waiting) && c.Waiting[at] >= 0 {
		v.Waiting, v.WaitingMS = &c.Waiting[at], c.WaitingMS[at]
	}
	return v
}
