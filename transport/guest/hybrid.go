package guest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// hybrid has the messages of discord-hybrid-sharding's ClusterManager. Each has a type, and what is
// answered has a nonce, which begins with salt in those of this end.
type hybrid struct{ salt string }

// Types of its messages (3.0.1, types/shared).
const (
	hybridRequest     = 1
	hybridReply       = 3
	hybridBeaten      = 5
	hybridEvalAll     = 6
	hybridEvaledAll   = 7
	hybridRespawnAll  = 9
	hybridMaintain    = 10
	hybridMaintained  = 11
	hybridUnmaintain  = 12
	hybridMaintainAll = 13
	hybridSpawnNext   = 14
	hybridReady       = 15
	hybridEval        = 16
	hybridEvaled      = 17
	hybridEvalHere    = 18
	hybridEvaledHere  = 19
)

func (hybrid) variables(p Place) []string {
	list := make([]string, 0, len(p.Shards))
	for _, shard := range p.Shards {
		list = append(list, strconv.Itoa(shard))
	}
	return []string{
		"CLUSTER_MANAGER=true", "CLUSTER_MANAGER_MODE=process", "CLUSTER_QUEUE_MODE=manual", "MAINTENANCE=undefined",
		"CLUSTER=" + strconv.Itoa(p.Cluster), "CLUSTER_COUNT=" + strconv.Itoa(p.Clusters),
		"SHARD_LIST=" + strings.Join(list, ","), "TOTAL_SHARDS=" + strconv.Itoa(p.ShardCount),
	}
}

func (h hybrid) read(p Place, m fields) Message {
	kind, err := strconv.Atoi(string(m["_type"]))
	if err != nil {
		return Stray{}
	}
	answer := func(kind int) []byte { return fmt.Appendf(nil, `"nonce":%s,"_type":%d`, m["nonce"], kind) }
	refused := func(kind int, why string) Call {
		e := plainError("Error", why)
		return Call{echo: answer(kind), Refused: &e}
	}
	_, numbered := m.text("nonce")
	switch {
	case kind == hybridReady:
		return Notice{"ready"}
	case kind == hybridRespawnAll:
		return Call{Respawn: true}
	case kind == hybridMaintain, kind == hybridMaintainAll:
		own := Targets{Clusters: []int{p.Cluster}}
		return Call{To: Targets{All: kind == hybridMaintainAll, Clusters: own.Clusters}, Maintain: &Maintain{truthy(m["maintenance"])}}
	case kind == hybridBeaten, kind == hybridSpawnNext, kind == hybridReply:
		return nil
	case !numbered:
		return Stray{}
	case kind == hybridEvaled:
		nonce, _ := m.text("nonce")
		return Reply{key: nonce, Outcome: Outcome{m["_result"], readError(m["_error"])}}
	case kind == hybridEvalAll:
		return h.evalAll(p, m, answer(hybridEvaledAll))
	case kind == hybridEvalHere:
		return refused(hybridEvaledHere, "evalOnManager is refused: CONTROL is the manager, and runs no code of bots")
	case kind == hybridRequest:
		return refused(hybridReply, "request is refused: CONTROL is the manager, and has no listener of clientRequest")
	}
	return Stray{}
}

const (
	// hybridLater is the time for which a call with a time of its own waits beyond that: the bot
	// counts itself, and its own error comes first
	hybridLater = time.Second
	hourMS      = 3_600_000
)

// plainPath matches the script of fetchClientValues, which only reads.
var plainPath = regexp.MustCompile(`^this((?:\.[A-Za-z_$][A-Za-z0-9_$]*)+)$`)

// evalAll returns a call of broadcastEval, or of fetchClientValues, which is one.
func (hybrid) evalAll(p Place, m fields, echo []byte) Call {
	c := Call{Question: Question{Script: m["_eval"]}, echo: echo, inOwn: hybridForms}
	script, is := m.text("_eval")
	if path := plainPath.FindStringSubmatch(script); path != nil {
		c.Question = Question{Path: path[1][1:]}
	}
	var options struct {
		Cluster, Shard json.RawMessage
		GuildID        any `json:"guildId"`
		Timeout        any
	}
	_ = json.Unmarshal(m["options"], &options) // fields of other types have no meaning
	if ms, is := options.Timeout.(float64); is && ms > 0 {
		c.Within = min(time.Duration(min(ms, hourMS))*time.Millisecond+hybridLater, Within)
	}
	var err *Error
	if c.To, err = hybridTargets(p, options.Cluster, options.Shard, options.GuildID); !is && err == nil {
		e := plainError("TypeError", "ClUSTERING_INVALID_EVAL_BROADCAST") // sic
		err = &e
	}
	c.Refused, c.partial = err, c.To.All
	return c
}

// hybridTargets returns the clusters that the options of a call name, in the order of the
// manager's.
func hybridTargets(p Place, cluster, shard json.RawMessage, guild any) (Targets, *Error) {
	fail := func(name, message string) (Targets, *Error) {
		e := plainError(name, message)
		return Targets{}, &e
	}
	if g, err := strconv.ParseUint(fmt.Sprint(guild), 10, 64); err == nil && g > 0 {
		shard = strconv.AppendUint(nil, (g>>22)%uint64(max(p.ShardCount, 1)), 10)
	}
	if id, err := strconv.Atoi(string(shard)); err == nil {
		switch {
		case id < 0:
			return fail("RangeError", "SHARD_ID_OUT_OF_RANGE")
		case id < p.ShardCount:
			return Targets{Shards: []int{id}}, nil
		}
		return Targets{All: true}, nil
	}
	if id, err := strconv.Atoi(string(cluster)); err == nil {
		switch {
		case id < 0:
			return fail("RangeError", "CLUSTER_ID_OUT_OF_RANGE")
		case id >= p.Clusters:
			return fail("Error", fmt.Sprintf("CLUSTERING_CLUSTER_NOT_FOUND FOR ClusterId: %d", id))
		}
		return Targets{Clusters: []int{id}}, nil
	}
	var several []any
	if len(cluster) == 0 || cluster[0] != '[' || json.Unmarshal(cluster, &several) != nil {
		return Targets{All: true}, nil
	}
	if len(several) == 0 {
		return fail("RangeError", "ARRAY_MUST_CONTAIN_ONE CLUSTER_ID")
	}
	var to Targets
	for id := range p.Clusters {
		for _, one := range several {
			if one == float64(id) {
				to.Clusters = append(to.Clusters, id)
				break
			}
		}
	}
	if to.Clusters == nil {
		return fail("Error", "CLUSTERING_NO_CLUSTERS_FOUND")
	}
	return to, nil
}

var hybridForms = ownedForms{starting: func(_ Targets, cluster int) Error {
	return plainError("Error", fmt.Sprintf("CLUSTERING_CLUSTER_NOT_FOUND FOR ClusterId: %d", cluster))
}}

// ask asks for a property by a script that only reads it; Conversation.Ask has checked the path.
func (h hybrid) ask(q Question, n uint64, _ int) (line []byte, key string) {
	script := []byte(q.Script)
	if script == nil {
		script = encode("this." + q.Path)
	}
	key = h.salt + "-" + strconv.FormatUint(n, 36)
	return fmt.Appendf(nil, `{"nonce":%s,"_eval":%s,"options":{},"_type":%d}`, encode(key), script, hybridEval), key
}

// objection keeps scripts out, which may be switched off.
func (hybrid) objection(path string) string {
	if plainPath.MatchString("this." + path) {
		return ""
	}
	return fmt.Sprintf("the path %.80q is not of plain names", path)
}

func (hybrid) maintain(m Maintain) []byte {
	if m.Reason == nil {
		return fmt.Appendf(nil, `{"_type":%d}`, hybridUnmaintain)
	}
	return fmt.Appendf(nil, `{"_type":%d,"maintenance":%s}`, hybridMaintained, []byte(m.Reason))
}

// truthy returns a value, nil for one that counts as false in JavaScript.
func truthy(raw json.RawMessage) json.RawMessage {
	switch string(raw) {
	case "null", "false", `""`, "0":
		return nil
	}
	return raw
}
