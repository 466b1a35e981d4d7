package messages

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Ask (admin → status → router) calls a handler of clusters by its name, as a cluster does (op 0
// REQUEST). Answer is called once, and must not block.
type Ask struct {
	MayBeLost
	To       AskTarget
	Clusters []ClusterID // the ones of To: status fills them in
	Name     string
	Data     json.RawMessage // nil: null
	Within   time.Duration   // the time for all answers: 1 ms to AskMax
	Answer   func(AskAnswer)
}

// AskMax is the longest time for the answers to a request (PROTOCOL B2).
const AskMax = 5 * time.Minute

// AskTarget names clusters of this machine: one, the one of a guild, or all.
type AskTarget struct {
	Cluster *ClusterID
	Guild   uint64 // 0: none; with no cluster either: all
}

// GuildDigits is the least number of digits of a guild's id: every id that Discord made after its
// first 28 days has them. A number of clusterDigits or less names a cluster.
const (
	GuildDigits   = 17
	clusterDigits = 6
)

// ReadAskTarget reads "all", the number of a cluster, or the id of a guild.
func ReadAskTarget(text string) (to AskTarget, err error) {
	if text == "all" {
		return to, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err == nil && len(text) >= GuildDigits:
		to.Guild = n
	case err == nil && len(text) <= clusterDigits:
		to.Cluster = new(ClusterID(n))
	default:
		return to, fmt.Errorf("target %.40q: want all, the number of a cluster, or the id of a server, which has %d digits or more", text, GuildDigits)
	}
	return to, nil
}

// AskAnswer has a result or an error for each cluster that was asked, or refuses the whole.
type AskAnswer struct {
	Refusal Refusal // "": it was passed on
	Reason  string
	Results []AskResult
	Errors  []AskError
}

// AskResult is the answer of one cluster: the value that its handler returned.
type AskResult struct {
	Cluster ClusterID       `json:"cluster"`
	Value   json.RawMessage `json:"value"`
}

// AskError is the reason why one cluster did not answer.
type AskError struct {
	Cluster ClusterID `json:"cluster"`
	Err     string    `json:"error"`
}
