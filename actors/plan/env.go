package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/discluster/control/messages"
)

// Run names one run of a cluster process: its ids and its socket, new at every start (PROTOCOL A2).
type Run struct {
	Manager  messages.Snowflake `json:"manager"`
	Instance messages.Snowflake `json:"instance"`
	Socket   string             `json:"socket"` // path the bot listens on
	Owner    string             `json:"-"`      // installation of CONTROL that starts it
}

// OwnerVariable marks every process of a cluster in its environment, so that CONTROL finds the
// process where the disk kept no record of it.
const OwnerVariable = "DISCLUSTER_OWNER="

// OwnerMark returns the environment entry that names the installation of CONTROL and the cluster a
// process belongs to.
func OwnerMark(owner string, id messages.ClusterID) string { return OwnedBy(owner) + id.String() }

// ofBot is the end of a BotMark.
const ofBot = "/bot"

// BotMark returns the OwnerMark of the bot that a gateway host runs. The bot may outlive its host
// and has another mark, so that the host's end is not its own.
func BotMark(ownerMark string) string { return ownerMark + ofBot }

// BotEnvironment returns the environment of the n-th bot that a gateway host starts, made of the
// host's own, and the entry that only this run of the bot has. The bot gets a socket and an
// instance id of its own, so that a library of the cluster protocol works behind a host, too.
func BotEnvironment(host []string, n int) (env []string, mark string) {
	const run, socket, cluster = "SHARDING_INSTANCE_IPC=", "DISCLUSTER_SOCKET=", "CLUSTER_ID="
	for _, kv := range host {
		switch {
		case strings.HasPrefix(kv, run):
			mark = run + botInstance(strings.TrimPrefix(kv, run), n)
			kv = mark
		case strings.HasPrefix(kv, socket):
			kv = kv[:strings.LastIndexByte(kv, '/')+1] + "bot-" + Variable(host, cluster)
		case strings.HasPrefix(kv, OwnerVariable):
			kv = BotMark(kv)
		}
		env = append(env, kv)
	}
	return env, mark
}

// botInstance returns the id of the n-th bot behind a host: the host's own in another range of the
// instance's index, with n in place of its count.
func botInstance(host string, n int) string {
	const behindHost = 1 << 31
	p, err := messages.Snowflake(host).Parts()
	if err == nil {
		p.Shard, p.Increment = p.Shard|behindHost, uint32(n)%(1<<20)
		var id messages.Snowflake
		if id, err = p.Snowflake(); err == nil {
			return string(id)
		}
	}
	return host + ofBot + strconv.Itoa(n) // CONTROL sets no such id
}

// Variable returns the value of the first entry that begins with name, which ends with "=".
func Variable(env []string, name string) string {
	for _, kv := range env {
		if value, ok := strings.CutPrefix(kv, name); ok {
			return value
		}
	}
	return ""
}

// OwnedBy returns the beginning of every OwnerMark and BotMark of an installation.
func OwnedBy(owner string) string { return OwnerVariable + owner + "#" }

// OwnedCluster returns the cluster that a value of the variable names; false for another
// installation's.
func OwnedCluster(owner, value string) (id messages.ClusterID, ok bool) {
	text, ok := strings.CutPrefix(strings.TrimSuffix(value, ofBot), owner+"#")
	n, err := strconv.Atoi(text)
	return messages.ClusterID(n), ok && err == nil && n >= 0 && strconv.Itoa(n) == text
}

// Environment returns the whole environment of a cluster process (PROTOCOL B4): base without
// CONTROL's own variables, then CONTROL's own, then extra, which wins. tokenByHello leaves the
// token out: it travels in HELLO.
func Environment(base []string, s messages.Settings, c Cluster, run Run, extra []string, tokenByHello bool) []string {
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
		"SHARDING_MANAGER_IPC="+string(run.Manager),
		"SHARDING_INSTANCE_IPC="+string(run.Instance),
		"SHARDING_INSTANCE="+c.ID.String(),
		"DISCLUSTER_SOCKET="+run.Socket,
		OwnerMark(run.Owner, c.ID),
	)
	if !tokenByHello {
		env = append(env, "DISCORD_TOKEN="+s.Token.Reveal())
	}
	return append(env, extra...)
}
