package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Error is an error as managers pass one on: the reader makes an Error of it.
type Error struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Stack   string `json:"stack"`
}

// plainError returns an error of this host.
func plainError(name, message string) Error {
	return Error{name, message, name + ": " + message + "\n    at CONTROL"}
}

// Failed returns an error that has no form of a manager's.
func Failed(err error) Error { return plainError("Error", err.Error()) }

// Passed returns the error of another host, or of its bot; without a stack it gets one.
func Passed(name, message, stack string) Error {
	e := plainError(name, message)
	if stack != "" {
		e.Stack = stack
	}
	return e
}

func (e Error) json() []byte { return encode(e) }

// encode writes a value of ours, with <, > and & as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	if err := to.Encode(v); err != nil {
		panic(fmt.Sprintf("guest: %v", err)) // texts and numbers
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// readError reads the error that a bot sent; nil: it sent none. What a bot throws may be no Error,
// and then arrives without fields.
func readError(raw json.RawMessage) *Error {
	if raw == nil || string(raw) == "null" {
		return nil
	}
	var have struct{ Name, Message, Stack any }
	if json.Unmarshal(raw, &have) != nil {
		have.Message = string(raw)
	}
	name, named := have.Name.(string)
	message, worded := have.Message.(string)
	if !named && !worded {
		message = "the bot threw a value that is not an Error"
	}
	if !named {
		name = "Error"
	}
	e := plainError(name, message)
	if stack, has := have.Stack.(string); has {
		e.Stack = stack
	}
	return &e
}

// ownedForms are the errors of one manager.
type ownedForms struct {
	// starting returns the error of a cluster that has not started
	starting func(to Targets, cluster int) Error
}

// missing returns the error of a cluster without an answer.
func (f ownedForms) missing(to Targets, a Answered) Error {
	if a.Missing == Starting && f.starting != nil {
		return f.starting(to, a.Cluster)
	}
	return plainError("Error", fmt.Sprintf("cluster %d: %s", a.Cluster, a.Missing))
}
