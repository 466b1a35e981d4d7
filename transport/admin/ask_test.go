package admin

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// A request arrives as it was written, and every mistake in it is refused before.
func TestAsk(t *testing.T) {
	one := messages.ClusterID(3)
	for name, c := range map[string]struct {
		body   string
		status int
		want   messages.Ask
		text   string // in the answer
	}{
		"all":                {`{"to":"all","handler":"pid"}`, 200, messages.Ask{Name: "pid", Within: 10 * time.Second}, `{"results":[{"cluster":0,"value":7}],"errors":[{"cluster":1,"error":"it is stopped"}]}`},
		"a cluster":          {`{"to":"3","handler":"pid","data":{"a":[1]},"timeout_ms":1500}`, 200, messages.Ask{To: messages.AskTarget{Cluster: &one}, Name: "pid", Data: json.RawMessage(`{"a":[1]}`), Within: 1500 * time.Millisecond}, ""},
		"a server":           {`{"to":"81384788765712384","handler":"pid"}`, 200, messages.Ask{To: messages.AskTarget{Guild: 81384788765712384}, Name: "pid", Within: 10 * time.Second}, ""},
		"the longest time":   {`{"to":"all","handler":"pid","timeout_ms":300000}`, 200, messages.Ask{Name: "pid", Within: 5 * time.Minute}, ""},
		"too long a time":    {`{"to":"all","handler":"pid","timeout_ms":300001}`, 400, messages.Ask{}, "timeout_ms 300001: want 1 to 300000"},
		"a time below zero":  {`{"to":"all","handler":"pid","timeout_ms":-1}`, 400, messages.Ask{}, "timeout_ms -1: want 1 to 300000"},
		"no target":          {`{"handler":"pid"}`, 400, messages.Ask{}, "want all, the number of a cluster, or the id of a server"},
		"a target of no use": {`{"to":"-1","handler":"pid"}`, 400, messages.Ask{}, `target \"-1\"`},
		"no handler":         {`{"to":"all"}`, 400, messages.Ask{}, "want a name of 1 to 200 bytes"},
		"a long handler":     {`{"to":"all","handler":"` + strings.Repeat("x", 201) + `"}`, 400, messages.Ask{}, "want a name of 1 to 200 bytes"},
		"a long value":       {`{"to":"all","handler":"pid","data":"` + strings.Repeat("x", 1<<19) + `"}`, 200, messages.Ask{Name: "pid", Data: json.RawMessage(`"` + strings.Repeat("x", 1<<19) + `"`), Within: 10 * time.Second}, ""},
		"too long a value":   {`{"to":"all","handler":"pid","data":"` + strings.Repeat("x", 1<<20) + `"}`, 413, messages.Ask{}, "body over 1048576 bytes"},
		"no JSON":            {`{"to":"all","handler":"pid","data":x}`, 400, messages.Ask{}, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			control := &stub{answers: messages.AskAnswer{Results: []messages.AskResult{{Cluster: 0, Value: json.RawMessage("7")}}, Errors: []messages.AskError{{Cluster: 1, Err: "it is stopped"}}}}
			_, at := serve(t, Options{}, control)
			status, answer := request(t, at, "POST", askPath, c.body, asJSON)
			if status != c.status || !strings.Contains(answer, c.text) {
				t.Errorf("%d %s, want %d %s", status, answer, c.status, c.text)
			}
			if (len(control.asked) > 0) != (c.status == http.StatusOK) {
				t.Fatalf("%d requests were passed on", len(control.asked))
			}
			for _, got := range control.asked {
				got.Answer = nil
				if !reflect.DeepEqual(got, c.want) {
					t.Errorf("%+v, want %+v", got, c.want)
				}
			}
		})
	}
}

// A refusal has its status, and no answer shows a secret.
func TestAskAnswers(t *testing.T) {
	hide := func(text string) string { return strings.ReplaceAll(text, "hunter22", "[redacted]") }
	for name, c := range map[string]struct {
		answer messages.AskAnswer
		status int
		text   string
	}{
		"unknown": {messages.AskAnswer{Refusal: messages.RefusedUnknown, Reason: "cluster 9 is not of this machine"}, 404, `{"error":{"code":"unknown","message":"cluster 9 is not of this machine"}}`},
		"not now": {messages.AskAnswer{Refusal: messages.RefusedNow, Reason: "1024 requests"}, 409, `{"error":{"code":"not_now","message":"1024 requests"}}`},
		"a secret": {messages.AskAnswer{Results: []messages.AskResult{{Value: json.RawMessage(`["hunter22",1]`)}}, Errors: []messages.AskError{{Cluster: 1, Err: "401 for hunter22"}}}, 200,
			`{"results":[{"cluster":0,"value":["[redacted]",1]}],"errors":[{"cluster":1,"error":"401 for [redacted]"}]}`},
		"a secret across texts": {messages.AskAnswer{Results: []messages.AskResult{{Value: json.RawMessage(`hunter22`)}}}, 200, `{"results":[{"cluster":0,"value":"[redacted]"}],"errors":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, at := serve(t, Options{Clean: hide}, &stub{answers: c.answer})
			status, answer := request(t, at, "POST", askPath, `{"to":"all","handler":"pid"}`, asJSON)
			if status != c.status || strings.TrimSpace(answer) != c.text {
				t.Errorf("%d %s, want %d %s", status, answer, c.status, c.text)
			}
		})
	}
}
