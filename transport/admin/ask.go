package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/discluster/control/messages"
)

// AskBody is the body of POST /api/v1/ask.
type AskBody struct {
	To        string                `json:"to"` // as messages.ReadAskTarget reads it
	Handler   string                `json:"handler"`
	Data      json.RawMessage       `json:"data,omitempty"`
	TimeoutMS messages.Milliseconds `json:"timeout_ms,omitempty"` // 0: 10 s
}

// AskAnswer has a result or an error for each cluster that was asked.
type AskAnswer struct {
	Results []messages.AskResult `json:"results"`
	Errors  []messages.AskError  `json:"errors"`
}

const (
	askPath    = "/api/v1/ask"
	askFor     = 10 * time.Second
	askBodyMax = 1 << 20
	handlerMax = 200 // bytes of a handler's name
)

// askClusters calls a handler of clusters, and answers when all of them have, or their time is
// over.
func (s *Server) askClusters(w http.ResponseWriter, r *http.Request) {
	var b AskBody
	if !body(w, r, &b) {
		return
	}
	within := b.TimeoutMS.Duration()
	if within == 0 {
		within = askFor
	}
	to, err := messages.ReadAskTarget(b.To)
	switch {
	case err != nil:
	case b.Handler == "" || len(b.Handler) > handlerMax:
		err = fmt.Errorf("handler %.40q: want a name of 1 to %d bytes", b.Handler, handlerMax)
	case within < time.Millisecond || within > messages.AskMax:
		err = fmt.Errorf("timeout_ms %d: want 1 to %d", b.TimeoutMS, messages.Millis(messages.AskMax))
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_body", err.Error())
		return
	}
	// the request is read; its deadline would end the wait
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	a, err := askWithin(r.Context(), within+answerWithin, func(answer func(messages.AskAnswer)) {
		s.control.Ask(messages.Ask{To: to, Name: b.Handler, Data: b.Data, Within: within, Answer: answer})
	})
	answerVerdict(w, messages.Verdict{Refusal: a.Refusal, Reason: a.Reason}, err, http.StatusOK, s.cleaned(a))
}

// cleaned returns the answer without secrets: handlers and their errors may quote what a library
// knows.
func (s *Server) cleaned(a messages.AskAnswer) AskAnswer {
	clean := s.options.Clean
	if clean == nil {
		clean = func(text string) string { return text }
	}
	out := AskAnswer{[]messages.AskResult{}, []messages.AskError{}}
	for _, r := range a.Results {
		if text := clean(string(r.Value)); text != string(r.Value) {
			if r.Value = json.RawMessage(text); !json.Valid(r.Value) { // the secret was not within one text
				r.Value = json.RawMessage(`"[redacted]"`)
			}
		}
		out.Results = append(out.Results, r)
	}
	for _, e := range a.Errors {
		e.Err = clean(e.Err)
		out.Errors = append(out.Errors, e)
	}
	return out
}
