package router

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// asked asks for an operator, and returns where the answer comes.
func (b *switchboard) asked(name string, clusters ...messages.ClusterID) chan messages.AskAnswer {
	b.t.Helper()
	answers := make(chan messages.AskAnswer, 1)
	b.root.Send(b.router, messages.Ask{Clusters: clusters, Name: name, Data: json.RawMessage(`{"a":1}`), Within: time.Second, Answer: func(a messages.AskAnswer) { answers <- a }})
	b.settle()
	return answers
}

// An operator's request reaches the clusters as that of a cluster does, from CONTROL, and has one
// answer: a result or an error of each.
func TestAsk(t *testing.T) {
	b := newSwitchboard(t, Options{}, 3, false)
	b.root.Send(b.router, messages.ClusterMoved{Cluster: 3, State: messages.ClusterStopped})
	answers := b.asked("pid", 0, 1, 2, 3)
	for i, answer := range []string{`"op":0,"t":"REQUEST","d":{"event_id":"E","result":[7]}`, `"op":4,"t":"REQUEST","d":{"event_id":"E","result":{"message":"no handler has the name"}}`} {
		event, rest := eventOf(t, b.wires[i].next())
		d := rest["data"].(map[string]any)["d"].(map[string]any)
		if d["name"] != "pid" || fmt.Sprint(d["data"]) != "map[a:1]" || d["from"] != 1111111111.0 || d["timeout_ms"] != 1000.0 {
			t.Fatalf("cluster %d got %v", i, rest)
		}
		b.say(b.wires[i], `{"type":"__DDOO__.MESSAGE","data":{`+strings.Replace(answer, `"E"`, `"`+event+`"`, 1)+`}}`)
	}
	if len(answers) > 0 {
		t.Error("answered before the last cluster")
	}
	b.root.Send(b.router, connEnded{link: b.wires[2]})
	b.settle()
	want := `{"Refusal":"","Reason":"","Results":[{"cluster":0,"value":[7]}],"Errors":[{"cluster":3,"error":"it is stopped"},{"cluster":1,"error":"no handler has the name"},{"cluster":2,"error":"it went away before it answered"}]}`
	if got := mustJSON(t, <-answers); string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// CONTROL's own requests are limited as those of a cluster are; one more is refused as a whole.
func TestAskLimit(t *testing.T) {
	b := newSwitchboard(t, Options{}, 1, false)
	for range requestsMax {
		b.asked("pid", 0)
	}
	if a := <-b.asked("pid", 0); a.Refusal != messages.RefusedNow || !strings.Contains(a.Reason, "1024 requests") {
		t.Errorf("%+v", a)
	}
}

// A cluster without a link is reported for what it is.
func TestAskWithoutLink(t *testing.T) {
	for linkless, want := range map[bool]string{true: "cluster.protocol: env", false: "its link to CONTROL is lost"} {
		b := newSwitchboard(t, Options{Linkless: linkless}, 0, false)
		b.root.Send(b.router, messages.ClusterMoved{Cluster: 2, State: messages.ClusterServing})
		if a := <-b.asked("pid", 2); len(a.Errors) != 1 || !strings.Contains(a.Errors[0].Err, want) {
			t.Errorf("%+v, want %s", a, want)
		}
	}
}
