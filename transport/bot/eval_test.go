package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/messages"
)

// A guest's host asks others by evals and by requests, and has the values of all, as they were
// written, or the first failure: a bot's, that of clusters without an answer, or CONTROL's refusal.
func TestAskGuests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil, Guest(func(GuestCall) {}))
		all := `"shards":[0,1,2,3,4,5,6,7],"timeout_ms":59750}`
		for _, tc := range []struct {
			to     Targets
			eval   bool
			data   string
			asks   string
			answer messages.Operation
			want   string
		}{
			{AllClusters(), true, `"\ud800 1"`, `BROADCAST_EVAL{"fail_fast":true,"from":3,"script":"\ud800 1",` + all,
				request(0, "BROADCAST_EVAL", `{"event_id":"%s","result":[{"result":"\ud800"},{}],"clusters":[4,2]}`), `2 {}, 4 {"result":"\ud800"}`},
			{OwnersOf(6), false, `{"read":"a"}`, `REQUEST{"data":{"read":"a"},"fail_fast":true,"from":3,"name":"discluster.guest","shard_ids":[6],"timeout_ms":59750}`,
				request(0, "REQUEST", `{"event_id":"%s","result":[{"result":1}],"clusters":[3]}`), `3 {"result":1}`},
			{AllClusters(), true, `"1"`, `BROADCAST_EVAL{"fail_fast":true,"from":3,"script":"1",` + all,
				request(0, "BROADCAST_EVAL", `{"event_id":"%s","result":[{}],"clusters":[1],"errors":[{"cluster":3,"error":"it is starting"}]}`), `missed [{3 <nil> it is starting}]`},
			{AllClusters(), true, `"1"`, `BROADCAST_EVAL{"fail_fast":true,"from":3,"script":"1",` + all,
				request(4, "BROADCAST_EVAL", `{"event_id":"%s","result":{"name":"RangeError","message":"bad","stack":"at x"}}`), `thrown {RangeError bad at x 0}`},
		} {
			done := make(chan string, 1)
			go func() {
				got, err := c.AskGuests(t.Context(), tc.to, tc.eval, json.RawMessage(tc.data), time.Minute)
				var text []string
				for _, a := range got.Values {
					text = append(text, fmt.Sprintf("%d %s", a.Cluster, a.Value))
				}
				switch {
				case err != nil:
					text = append(text, err.Error())
				case got.Thrown != nil:
					text = append(text, fmt.Sprintf("thrown %v", *got.Thrown))
				case got.Missed != nil:
					text = append(text, fmt.Sprintf("missed %v", got.Missed))
				}
				done <- strings.Join(text, ", ")
			}()
			synctest.Wait()
			op := l.operation()
			event, rest := eventOf(t, op)
			want(t, "asks", op.T+rest, tc.asks)
			tc.answer.Data = fmt.Appendf(nil, string(tc.answer.Data), event)
			l.send(tc.answer)
			want(t, "answer", <-done, tc.want)
		}
		l.hangUp(errors.New("bye"))
		synctest.Wait()
		if _, err := c.AskGuests(t.Context(), AllClusters(), true, json.RawMessage(`"1"`), time.Minute); !errors.Is(err, ErrAway) {
			t.Errorf("without CONTROL: %v", err)
		}
		c.finish(c.w.back(hello()))
	})
}

// Evals and requests of others reach the guest's host, which may answer later. A request to a
// handler does not, and a member without a guest runs no scripts.
func TestGuestIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []GuestCall
		c, l := join(t, newWorld(t), hello(), nil, Guest(func(g GuestCall) { calls = append(calls, g) }),
			Handle("pid", nil))
		l.send(request(0, "BROADCAST_EVAL", `{"event_id":"1","script":"'\ud800'","shards":[3],"from":5,"timeout_ms":500}`))
		l.send(request(0, "REQUEST", `{"event_id":"2","name":"discluster.guest","data":{"read":"a"},"shards":[3],"from":5}`))
		l.send(request(0, "REQUEST", `{"event_id":"3","name":"nothing","data":1,"shards":[3],"from":5}`))
		l.hears(`0s {"Op":4,"T":"REQUEST","Data":{"event_id":"3","result":{"name":"Error","message":"no handler has the name \"nothing\""}}}`)
		if len(calls) != 2 {
			t.Fatalf("%d calls", len(calls))
		}
		want(t, "eval", fmt.Sprintf("%v %s %d %v", calls[0].Eval, calls[0].Data, calls[0].From, calls[0].Within), `true "'\ud800'" 5 500ms`)
		want(t, "request", fmt.Sprintf("%v %s %d %v", calls[1].Eval, calls[1].Data, calls[1].From, calls[1].Within), `false {"read":"a"} 5 10s`)
		calls[1].Answer(nil, &messages.FailureError{Name: "E", Message: "the token is " + c.Token().Reveal(), Stack: c.Token().Reveal()})
		calls[0].Answer(json.RawMessage(`{"result":"\ud800"}`), nil)
		l.hears(`0s {"Op":4,"T":"REQUEST","Data":{"event_id":"2","result":{"name":"E","message":"the token is [redacted]","stack":"[redacted]"}}}`,
			`0s {"Op":0,"T":"BROADCAST_EVAL","Data":{"event_id":"1","result":{"result":"\ud800"}}}`)
		calls[0].Answer(json.RawMessage(`{`), nil)
		if op := l.operation(); op.Op != messages.IPCError || !strings.Contains(string(op.Data), "its answer cannot be sent") {
			t.Errorf("a value that is no JSON: %+v", op)
		}
		c.finish(l)
	})
}

// A member without a guest refuses what is for the hosts of guests.
func TestNoGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil)
		l.send(request(0, "REQUEST", `{"event_id":"2","name":"discluster.guest","data":{"read":"a"},"shards":[3],"from":5}`))
		l.send(request(0, "BROADCAST_EVAL", `{"event_id":"1","script":"1","shards":[3],"from":5}`))
		l.hears(`0s {"Op":4,"T":"REQUEST","Data":{"event_id":"2","result":{"name":"Error","message":"no handler has the name \"discluster.guest\""}}}`,
			`0s {"Op":4,"T":"BROADCAST_EVAL","Data":{"event_id":"1","result":{"name":"Error","message":"this cluster runs no scripts"}}}`)
		c.finish(l)
	})
}

// A rolling restart is asked of a CONTROL that takes it.
func TestRollingRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, takes := range []bool{false, true} {
			h := hello()
			if takes {
				h.Features = []string{messages.FeatureRoll}
			}
			c, l := join(t, newWorld(t), h, nil)
			want(t, "asked", c.RollingRestart(), takes)
			if sent := l.heard(); len(sent) > 0 != takes {
				t.Errorf("sent %q", sent)
			}
			c.finish(l)
		}
	})
}
