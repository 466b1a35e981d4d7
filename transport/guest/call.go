package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Within limits the time for which a call waits: stock managers wait forever.
const Within = time.Minute

// Question asks a bot to run a script, or to read a property.
type Question struct {
	Script json.RawMessage // a text of JSON; nil: the bot reads a property
	Path   string          // of the property, below the client, cut at dots
	Within time.Duration   // 0: Within
}

// Outcome is the answer of one bot. Both nil: the value is undefined.
type Outcome struct {
	Result json.RawMessage
	Err    *Error
}

// Targets are the clusters that a call is for.
type Targets struct {
	All      bool
	Clusters []int
	Shards   []int // whose clusters are meant
}

// Call is a call of a bot to its manager that has an answer, but for Respawn, or that is for
// others.
type Call struct {
	Question            // of an eval or a read; else it is the zero one
	To       Targets    // whom it asks
	Refused  *Error     // why it is not carried out; nil: it is
	Respawn  bool       // all processes must be replaced, one after another
	Maintain *Maintain  // maintenance is announced
	echo     []byte     // the fields of the answer before the result
	one      bool       // the answer is a value, not a list of values
	partial  bool       // clusters that start are left out
	inOwn    ownedForms // errors in the form of its manager
}

// Maintain announces maintenance to bots, or (without a reason) its end.
type Maintain struct {
	Reason json.RawMessage `json:"reason,omitempty"`
}

// Answered is the answer of a cluster to a call: that of its bot, or (Missing) why there is none.
type Answered struct {
	Cluster int
	Outcome
	Missing string
}

// Starting is Answered.Missing of a cluster that has not started.
const Starting = "it is starting"

// Without returns the targets of a call less clusters that start, of a number of clusters, where
// its manager leaves these out. false: it does not, or there are no others.
func (c Call) Without(starting []int, clusters int) (Targets, bool) {
	if !c.partial || len(starting) == 0 {
		return Targets{}, false
	}
	var to Targets
	for id := range clusters {
		if !slices.Contains(starting, id) {
			to.Clusters = append(to.Clusters, id)
		}
	}
	return to, len(to.Clusters) > 0
}

// Answer returns the line that answers the call, nil for a call without an answer. all are the
// answers in the order of the clusters; the first error is that of the call.
func (c Call) Answer(all []Answered) []byte {
	size := 0
	for _, a := range all {
		switch {
		case a.Missing != "":
			return c.Fail(c.inOwn.missing(c.To, a))
		case a.Err != nil:
			return c.Fail(*a.Err)
		}
		size += len(a.Result) + len(",null")
	}
	if size > LineMax-len(c.echo)-100 {
		return c.Fail(plainError("Error", fmt.Sprintf("the results have %d bytes: want at most %d together", size, LineMax)))
	}
	if c.one && len(all) == 1 {
		return c.line("_result", all[0].Result)
	}
	b := make([]byte, 0, size+2)
	b = append(b, '[')
	for i, a := range all {
		if i > 0 {
			b = append(b, ',')
		}
		if a.Result == nil {
			b = append(b, "null"...)
		}
		b = append(b, a.Result...)
	}
	return c.line("_result", append(b, ']'))
}

// Fail returns the line by which the call fails, nil for a call without an answer.
func (c Call) Fail(e Error) []byte { return c.line("_error", e.json()) }

// Key returns what the answer to the call repeats, a line; nil for a call without an answer. It is
// enough for Lost.
func (c Call) Key() []byte { return c.echo }

// Lost returns the line by which a call fails that an earlier host has not answered, nil for what
// is no key.
func Lost(key []byte) []byte {
	line := Call{echo: key}.Fail(plainError("Error", "the gateway host of this bot died before it answered"))
	if len(key) == 0 || !json.Valid(line) {
		return nil
	}
	return line
}

// line returns the answer with one more field; a nil value is undefined.
func (c Call) line(key string, value []byte) []byte {
	if c.echo == nil {
		return nil
	}
	b := make([]byte, 0, len(c.echo)+len(key)+len(value)+8)
	b = append(append(b, '{'), c.echo...)
	if value != nil {
		b = append(append(append(b, `,"`...), key...), `":`...)
		b = append(b, value...)
	}
	return oneLine(append(b, '}'))
}

// oneLine replaces line ends, which are white space in JSON.
func oneLine(text []byte) []byte {
	if bytes.ContainsAny(text, "\n\r") {
		text = bytes.Map(func(r rune) rune {
			if r == '\n' || r == '\r' {
				return ' '
			}
			return r
		}, text)
	}
	return text
}
