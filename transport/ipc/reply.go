package ipc

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/discluster/control/messages"
)

// TargetError is the reason why one target of a request did not answer.
type TargetError struct {
	Cluster messages.ClusterID `json:"cluster"`
	Shard   *int               `json:"shard,omitempty"` // where its cluster is unknown
	Err     string             `json:"error"`
}

// Reply is CONTROL's answer to a request, written by Encode. Errors and Clusters are ours, for a
// requester that announced the protocol (PROTOCOL B2).
type Reply struct {
	Op      messages.IPCOp
	T       string
	Event   []byte // of the request, as received
	Success *bool  // of a cache operation
	Result  []byte // JSON; nil: none
	// or a list of them; nil elements are null, like JavaScript's undefined in a list
	Results  [][]byte
	Clusters []messages.ClusterID // of the results in a list, in its order
	Errors   []TargetError
	Error    string // ours, of a cache operation that was refused as a whole
}

// Encode writes the frame.
func (r Reply) Encode() []byte {
	size := 0
	for _, one := range r.Results {
		size += len(one) + len(",null")
	}
	b := make([]byte, 0, size+len(r.Result)+len(r.Event)+16*len(r.Clusters)+160*len(r.Errors)+len(r.Error)+200)
	b = append(b, `{"type":"`+messageType+`","data":{"op":`...)
	b = strconv.AppendInt(b, int64(r.Op), 10)
	if r.T != "" {
		b = append(append(append(b, `,"t":"`...), r.T...), '"')
	}
	b = append(append(append(b, `,"d":{"event_id":"`...), r.Event...), '"')
	if r.Success != nil {
		b = strconv.AppendBool(append(b, `,"success":`...), *r.Success)
	}
	if r.Result != nil {
		b = append(append(b, `,"result":`...), r.Result...)
	}
	if r.Results != nil {
		b = appendList(append(b, `,"result":`...), r.Results)
	}
	if r.Clusters != nil {
		b = append(b, `,"clusters":[`...)
		for i, id := range r.Clusters {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(id), 10)
		}
		b = append(b, ']')
	}
	if len(r.Errors) > 0 {
		b = also(b, "errors", r.Errors)
	}
	if r.Error != "" {
		b = also(b, "error", r.Error)
	}
	return append(b, "}}}"...)
}

// also appends one more field.
func also(b []byte, key string, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("ipc reply: %v", err)) // numbers and texts of ours
	}
	return append(append(append(append(b, `,"`...), key...), `":`...), text...)
}

// Refusal answers a request that is refused as a whole, or whose answer is only its first failure:
// an error in the form of upstream's failed eval.
func Refusal(t string, event []byte, why string) []byte {
	text, err := json.Marshal(messages.FailureError{Name: "Error", Message: why})
	if err != nil {
		panic(fmt.Sprintf("ipc reply: %v", err)) // texts of ours
	}
	return Reply{Op: messages.IPCError, T: t, Event: event, Result: text}.Encode()
}
