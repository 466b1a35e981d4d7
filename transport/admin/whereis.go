package admin

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/discluster/control/messages"
)

// WhereisAnswer is GET /api/v1/whereis/{guild}.
type WhereisAnswer struct {
	Guild      string `json:"guild"`
	Shard      int    `json:"shard"`
	ShardCount int    `json:"shard_count"`
	// the shard is of this machine; from MASTER: of one of its own
	Here      bool                  `json:"here"`
	Machine   string                `json:"machine,omitempty"` // its machine
	Cluster   *messages.ClusterID   `json:"cluster,omitempty"`
	State     messages.ShardState   `json:"state,omitempty"` // from a machine, not from MASTER
	LatencyMS messages.Milliseconds `json:"latency_ms,omitempty"`
}

// whereis finds the shard of a guild: (guild_id >> 22) % shard_count (Discord docs, Sharding).
func (s *Server) whereis(w http.ResponseWriter, r *http.Request) {
	guild, err := strconv.ParseUint(r.PathValue("guild"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_number", fmt.Sprintf("guild %.40q: want an id, which is a number", r.PathValue("guild")))
		return
	}
	is := WhereisAnswer{Guild: r.PathValue("guild")}
	if s.control == nil {
		err = s.whereInFleet(r, guild, &is)
	} else {
		err = s.whereHere(r, guild, &is)
	}
	switch {
	case err != nil:
		failed(w, err)
	case is.ShardCount == 0:
		refuse(w, http.StatusConflict, string(messages.RefusedNow), "the number of shards is unknown")
	default:
		show(w, r, is, time.Time{})
	}
}

// in sets the shard of a guild, if their number is known.
func (is *WhereisAnswer) in(guild uint64, shardCount int) (known bool) {
	if shardCount > 0 {
		is.Shard, is.ShardCount = int(guild>>22%uint64(shardCount)), shardCount
	}
	return shardCount > 0
}

func (s *Server) whereHere(r *http.Request, guild uint64, is *WhereisAnswer) error {
	v, err := s.machineView(r.Context())
	if err != nil || !is.in(guild, v.Machine.ShardCount) {
		return err
	}
	if c := clusterOf(v, is.Shard); c != nil {
		one := shardOf(*c, is.Shard)
		is.Here, is.Machine, is.Cluster, is.State, is.LatencyMS = true, v.Machine.Source, &c.Cluster, one.State, one.LatencyMS
	}
	return nil
}

func (s *Server) whereInFleet(r *http.Request, guild uint64, is *WhereisAnswer) error {
	v, err := s.fleetView(r.Context())
	if err != nil || !is.in(guild, v.ShardCount) {
		return err
	}
	if m := v.OwnerOf(is.Shard); m != nil {
		is.Here, is.Machine, is.Cluster = true, m.Source, new(messages.ClusterID(is.Shard/v.ShardsPerCluster))
	}
	return nil
}
