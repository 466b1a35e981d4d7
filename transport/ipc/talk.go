package ipc

import (
	"encoding/json"
	"strconv"

	"github.com/discluster/control/messages"
)

// Talk is a packet that a cluster process writes to others through CONTROL (PROTOCOL A4, B2): a
// MESSAGE, a REQUEST, or the answer to one. Encode writes it; the value in it, which is the bot's
// own, is marshalled once.
type Talk struct {
	T     string
	Event messages.Snowflake

	Message json.RawMessage // of a MESSAGE
	Name    string          // of the handler that a REQUEST calls
	Data    json.RawMessage // of a REQUEST
	Result  json.RawMessage // of an answer

	Clusters  []int // the addressed clusters,
	Shards    []int // or the owners of these shards; both nil: it is an answer
	From      messages.ClusterID
	TimeoutMS messages.Milliseconds // of a REQUEST
}

// Encode writes the frame. Event must be a snowflake and the raw fields valid JSON, as json.Marshal
// makes it.
func (k Talk) Encode() []byte {
	b := make([]byte, 0, len(k.Message)+len(k.Data)+len(k.Result)+len(k.Name)+8*(len(k.Clusters)+len(k.Shards))+240)
	b = append(append(append(b, `{"type":"`+messageType+`","data":{"op":0,"t":"`...), k.T...), `","d":{"event_id":"`...)
	b = append(append(b, k.Event...), '"')
	if k.Name != "" {
		b = also(b, "name", k.Name)
	}
	b = raw(b, "data", k.Data)
	b = raw(b, "message", k.Message)
	b = raw(b, "result", k.Result)
	// upstream's name: in evals and messages it means clusters
	b = addressed(b, "shards", k.Clusters)
	b = addressed(b, "shard_ids", k.Shards)
	if k.Clusters != nil || k.Shards != nil {
		b = strconv.AppendInt(append(b, `,"from":`...), int64(k.From), 10)
	}
	if k.TimeoutMS > 0 {
		b = strconv.AppendInt(append(b, `,"timeout_ms":`...), int64(k.TimeoutMS), 10)
	}
	return append(b, "}}}"...)
}

// raw writes a field that is JSON already, unless it is nil.
func raw(b []byte, key string, value []byte) []byte {
	if value == nil {
		return b
	}
	return append(append(append(append(b, `,"`...), key...), `":`...), value...)
}

// addressed writes a list of ids, unless it is nil.
func addressed(b []byte, key string, ids []int) []byte {
	if ids == nil {
		return b
	}
	b = append(append(append(b, `,"`...), key...), `":[`...)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return append(b, ']')
}
