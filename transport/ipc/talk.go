package ipc

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/discluster/control/messages"
)

// Talk is a packet that a cluster process writes to others through CONTROL (PROTOCOL A4, B2): a
// MESSAGE, a REQUEST, a BROADCAST_EVAL, or the answer to one of the two.
type Talk struct {
	T     string
	Event messages.Snowflake // a valid one
	Name  string             // of the handler that a REQUEST calls

	Clusters  []int // the addressed clusters,
	Shards    []int // or the owners of these shards; both nil: it is an answer
	From      messages.ClusterID
	TimeoutMS messages.Milliseconds // of a REQUEST or BROADCAST_EVAL
	FailFast  bool                  // of one of these: its first failure is the answer
}

// Write encodes the frame with the bot's own value, and passes it to a function, after whose return
// the bytes are used again. An error is that of the value, or of the function.
func (k Talk) Write(value any, to func(frame []byte) error) error {
	room := newPiece(0)
	defer freePiece(room)
	frame, err := k.encode(room, value)
	if err != nil {
		return err
	}
	return to(frame)
}

// encode appends the frame.
func (k Talk) encode(b []byte, value any) (_ []byte, err error) {
	b = append(append(append(b, `{"type":"`+messageType+`","data":{"op":0,"t":"`...), k.T...), `","d":{"event_id":"`...)
	b = append(append(b, k.Event...), '"')
	answer := k.Clusters == nil && k.Shards == nil
	switch {
	case answer:
		b = append(b, `,"result":`...)
	case k.T == messages.TMessage:
		b = append(b, `,"message":`...)
	case k.T == messages.TBroadcastEval:
		b = append(b, `,"script":`...)
	default:
		b = append(also(b, "name", k.Name), `,"data":`...)
	}
	if b, err = appendValue(b, value); err != nil {
		return nil, err
	}
	// upstream's name: in evals and messages it means clusters
	b = addressed(b, "shards", k.Clusters)
	b = addressed(b, "shard_ids", k.Shards)
	if !answer {
		b = strconv.AppendInt(append(b, `,"from":`...), int64(k.From), 10)
	}
	if k.TimeoutMS > 0 {
		b = strconv.AppendInt(append(b, `,"timeout_ms":`...), int64(k.TimeoutMS), 10)
	}
	if k.FailFast {
		b = append(b, `,"fail_fast":true`...)
	}
	return append(b, "}}}"...), nil
}

// appendValue appends a value in JSON. A text without escapes, and what is JSON already, are
// checked and copied, which takes a tenth of the time of encoding/json.
func appendValue(b []byte, value any) ([]byte, error) {
	at := len(b)
	switch v := value.(type) {
	case string:
		if b = append(append(append(b, '"'), v...), '"'); plain(b[at:]) {
			return b, nil
		}
	case json.RawMessage:
		if b = append(b, v...); valid(b[at:]) {
			return b, nil
		}
	}
	text := bytes.NewBuffer(b[:at])
	if err := json.NewEncoder(text).Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// plain reports whether a text is a JSON string without escapes.
func plain(text []byte) bool {
	controls, ascii := control(text)
	s := scanner{b: text, controls: controls}
	return s.text() && s.i == len(text) && (ascii || utf8.Valid(text))
}

// valid reports whether a text is the JSON of a field below "d".
func valid(text []byte) bool {
	s := scanner{b: text, controls: controlIn(text)}
	s.skip(3)
	s.space()
	return s.err == nil && s.i == len(text)
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
