package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/discluster/control/messages"
)

// Life names one run of a cluster process: its ids and its socket, new at every start (PROTOCOL
// A2).
type Life struct {
	Manager  messages.Snowflake `json:"manager"`
	Instance messages.Snowflake `json:"instance"`
	Socket   string             `json:"socket"` // path the bot listens on
	Owner    string             `json:"-"`      // installation of CONTROL that starts it
}

// ownerVariable is in the environment of every process of a cluster, so that it is found where the
// disk took no record of it.
const ownerVariable = "DISCLUSTER_OWNER="

// OwnerMark returns the entry of a cluster's processes that says which installation of CONTROL they
// belong to.
func OwnerMark(owner string, id messages.ClusterID) string { return OwnedBy(owner) + id.String() }

// OwnedBy returns what every OwnerMark of an installation begins with.
func OwnedBy(owner string) string { return ownerVariable + owner + "#" }

// OwnedCluster returns the cluster that a value of the variable names; false for another
// installation's.
func OwnedCluster(owner, value string) (id messages.ClusterID, ok bool) {
	text, ok := strings.CutPrefix(value, owner+"#")
	n, err := strconv.Atoi(text)
	return messages.ClusterID(n), ok && err == nil && n >= 0 && strconv.Itoa(n) == text
}

// Environment is the whole environment of a cluster process (PROTOCOL B4): base without what is
// ours, then ours, then extra, which wins. tokenByHello keeps the token out of it: it then travels
// in HELLO.
func Environment(base []string, s messages.Settings, c Cluster, life Life, extra []string, tokenByHello bool) []string {
	var env []string
	for _, kv := range base {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "CONTROL_") && !slices.Contains(messages.ReservedEnv, name) {
			env = append(env, kv)
		}
	}
	ids := make([]string, 0, c.Shards.Len())
	for _, shard := range c.Shards.Shards() {
		ids = append(ids, strconv.Itoa(shard))
	}
	csv := strings.Join(ids, ",")
	env = append(env,
		"CLUSTER_ID="+c.ID.String(),
		"CLUSTER_COUNT="+strconv.Itoa(s.ClusterCount()),
		"SHARD_IDS="+csv,
		"SHARDS=["+csv+"]",
		"SHARD_COUNT="+strconv.Itoa(s.ShardCount),
		"MAX_CONCURRENCY="+strconv.Itoa(s.MaxConcurrency),
		"SHARDING_MANAGER_IPC="+string(life.Manager),
		"SHARDING_INSTANCE_IPC="+string(life.Instance),
		"SHARDING_INSTANCE="+c.ID.String(),
		"DISCLUSTER_SOCKET="+life.Socket,
		OwnerMark(life.Owner, c.ID),
	)
	if !tokenByHello {
		env = append(env, "DISCORD_TOKEN="+s.Token.Reveal())
	}
	return append(env, extra...)
}
