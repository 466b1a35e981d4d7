package scenarios

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// talk holds the messages between the bots of a fleet.
type talk struct {
	*fleet
	voices map[string]fakecluster.Voice // of each cluster, its last run's
	asked  []*asked
	asks   int
	heard  map[string][]string                    // messages, by the cluster that got them
	undone int                                    // messages without a receiver, as reported to their senders
	pause  func(messages.Operation) time.Duration // before a bot answers a request; nil: none
}

// asked is one request.
type asked struct {
	by     fakecluster.Voice
	event  messages.Snowflake
	at     time.Duration
	within time.Duration
	ops    []messages.Operation // answers
}

// reply is an answer's data.
type reply struct {
	EventID  messages.Snowflake `json:"event_id"`
	Success  bool               `json:"success"`
	Result   json.RawMessage    `json:"result"`
	Clusters []int              `json:"clusters"`
	Errors   []struct {
		Cluster int    `json:"cluster"`
		Err     string `json:"error"`
	} `json:"errors"`
}

// text returns an answer in one line: "[0,3] of [0 3]; 1: it died".
func (a *asked) text(t testing.TB) string {
	if len(a.ops) != 1 {
		return fmt.Sprintf("%d answers", len(a.ops))
	}
	var r reply
	if err := json.Unmarshal(a.ops[0].Data, &r); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s of %v", r.Result, r.Clusters)
	if a.ops[0].Op == messages.IPCError {
		text = "refused: " + string(r.Result)
	}
	for _, e := range r.Errors {
		text += fmt.Sprintf("; %d: %s", e.Cluster, e.Err)
	}
	return text
}

// speaks and hears are a character's part in it.
func (k *talk) speaks(v fakecluster.Voice) { k.voices[v.Cluster()] = v }

func (k *talk) hears(v fakecluster.Voice, op messages.Operation) bool {
	var r struct {
		reply
		Message json.RawMessage `json:"message"`
	}
	if err := json.Unmarshal(op.Data, &r); err != nil {
		k.loop.Fail(err)
	}
	if op.T == messages.TMessage {
		if op.Op == messages.IPCError {
			k.undone++
		} else {
			k.heard[v.Cluster()] = append(k.heard[v.Cluster()], fmt.Sprintf("%.20s", r.Message))
		}
		return true
	}
	for _, a := range k.asked {
		if a.event == r.EventID && a.by == v {
			a.ops = append(a.ops, op)
			return true
		}
	}
	if k.pause == nil {
		return false
	}
	v.AnswerIn(k.pause(op), op)
	return true
}

// ask lets a cluster ask others; nil where it cannot.
func (k *talk) ask(by string, op messages.IPCOp, t, d string, within time.Duration) *asked {
	k.asks++
	a := &asked{by: k.voices[by], event: messages.Snowflake(fmt.Sprintf("ask-%d", k.asks)), at: k.loop.Now(), within: within}
	data := fmt.Sprintf(`{"event_id":%q,%s`, a.event, d)
	if within > 0 {
		data += fmt.Sprintf(`,"timeout_ms":%d`, within.Milliseconds())
	}
	k.asked = append(k.asked, a)
	if !a.by.Say(messages.Operation{Op: op, T: t, Data: json.RawMessage(data + "}")}) {
		k.asked = k.asked[:len(k.asked)-1]
		return nil
	}
	return a
}

// answered waits for an answer, and requires this one.
func (k *talk) answered(a *asked, within time.Duration, text string) {
	k.t.Helper()
	k.must("an answer", within, func() bool { return len(a.ops) > 0 })
	want(k.fleet, "answer", a.text(k.t), text)
}

// talking adds a machine of four SDK clusters of two shards that talk; odd changes those with the
// given ids.
func (f *fleet) talking(odd map[string]fakecluster.SDK, change ...func(*actors.Options)) (*talk, *machine) {
	k := &talk{fleet: f, voices: map[string]fakecluster.Voice{}, heard: map[string][]string{}}
	m := f.aloneWith(rules.Config{ShardCount: 8, MaxConcurrency: 8, IdentifyTotal: 100000}, ours(initialise(8, 8)), f.cast(func(cluster string, _ int) fakecluster.SDK {
		s := odd[cluster]
		s.Speaks, s.Hears = k.speaks, k.hears
		return s
	}), append(change, twoEach, evals)...)
	f.connect(m, "c", 0, 7)
	return k, m
}

func twoEach(o *actors.Options) { o.Cluster.ShardsPerCluster = 2 }
func evals(o *actors.Options)   { o.Router.Eval = true }

const (
	everyone  = `"name":"n","shards":[0,1,2,3]`
	elsewhere = "not on this machine, and machines pass nothing to each other"
)

// One cluster dies and one hangs: a request to all gets the others' answers, and for each of the
// two why it is missing.
func TestRouterAnswersInPart(t *testing.T) {
	seeds(t, func(f *fleet) {
		k, m := f.talking(nil)
		f.must("all serve", time.Minute, f.sawN("cluster.ready", 4))
		f.processOf(m, "2").Signal(syscall.SIGKILL) // so that its next death costs a wait
		f.must("all serve again", time.Minute, f.sawN("cluster.ready", 5))
		k.answered(k.ask("0", 0, "REQUEST", everyone, 0), time.Second, "[0,1,2,3] of [0 1 2 3]")
		f.processOf(m, "1").Signal(syscall.SIGSTOP)
		f.pass(time.Millisecond)
		a := k.ask("0", 0, "REQUEST", everyone, time.Second)
		f.pass(500 * time.Millisecond)
		f.processOf(m, "2").Signal(syscall.SIGKILL)
		// 2 had answered
		k.answered(a, 600*time.Millisecond, "[0,2,3] of [0 2 3]; 1: it did not answer in time")
		k.answered(k.ask("3", 0, "REQUEST", `"name":"n","shards":[2,7,1111111111,0,2,0]`, 0), 100*time.Millisecond,
			"[0] of [0]; 2: it died, and is about to be started again; 7: there is none: the fleet has 8 shards, 2 a cluster; "+
				"1111111111: CONTROL itself: it runs no code and handles no request of clusters")
		k.answered(k.ask("3", 0, "REQUEST", `"name":"n","shard_ids":[6,4,99,7]`, 0), 100*time.Millisecond,
			"[3] of [3]; 2: it died, and is about to be started again; 49: there is none: the fleet has 8 shards, 2 a cluster")
		a = k.ask("0", 0, "REQUEST", everyone, 0) // to 3, too, which dies before it answers
		f.processOf(m, "3").Signal(syscall.SIGKILL)
		f.must("an answer, when the hanging one is killed at the latest", 11*time.Second, func() bool { return len(a.ops) > 0 })
		if text := a.text(f.t); !strings.HasPrefix(text, "[0") || !strings.Contains(text, "; 2: it ") || !strings.Contains(text, "1: it ") {
			f.t.Fatalf("answer %s", text)
		}
		f.must("all serve again", 2*time.Minute, f.owned(8))
		f.must("and answer again", 10*time.Second, func() bool {
			a := k.ask("0", 0, "REQUEST", everyone, 0)
			return a != nil && f.loop.Until(time.Second, func() bool { return len(a.ops) > 0 }) == nil && a.text(f.t) == "[0,1,2,3] of [0 1 2 3]"
		})
	})
}

// Requests to what is missing are answered at once: a cluster that boots, and one of another
// machine.
func TestRouterDoesNotWaitForAStart(t *testing.T) {
	seeds(t, func(f *fleet) {
		k := &talk{fleet: f, voices: map[string]fakecluster.Voice{}, heard: map[string][]string{}}
		m := f.aloneWith(rules.Config{ShardCount: 8, MaxConcurrency: 8}, ours(initialise(8, 8)), f.cast(func(cluster string, _ int) fakecluster.SDK {
			boot := time.Duration(0)
			if cluster == "1" {
				boot = 10 * time.Second
			}
			return fakecluster.SDK{Boot: boot, Speaks: k.speaks, Hears: k.hears}
		}), twoEach)
		f.connect(m, "c", 0, 3)
		f.must("one serves", 9*time.Second, f.sawN("cluster.ready", 1))
		k.answered(k.ask("0", 0, "REQUEST", everyone, 0), 50*time.Millisecond, "[0] of [0]; 1: it is starting; 2: "+elsewhere+"; 3: "+elsewhere)
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 2, Last: 3}})
		f.must("1 is released", 10*time.Second, func() bool { return f.acks(m, "o", "released") == 1 })
		k.answered(k.ask("0", 0, "REQUEST", everyone, 0), 50*time.Millisecond, "[0] of [0]; 1: "+elsewhere+"; 2: "+elsewhere+"; 3: "+elsewhere)
		k.ask("0", 0, "MESSAGE", `"message":"hi","shards":[0,1]`, 0)
		f.must("reported whom it did not reach", 50*time.Millisecond, func() bool { return k.undone == 1 && len(k.heard["0"]) == 1 })
		k.answered(k.ask("0", 0, "BROADCAST_EVAL", `"script":"1","shards":[0],"context":{}`, 0), 50*time.Millisecond,
			`refused: {"name":"Error","message":"BROADCAST_EVAL is switched off on this machine (ipc.eval)"}`)
		k.answered(k.ask("0", 0, "REQUEST", `"name":"n","shards":{"from":0}`, 0), 50*time.Millisecond,
			`refused: {"name":"Error","message":"shards \"{\\\"from\\\":0}\": want a list"}`)
	})
}

// A bot that does not read holds up no other, keeps its link, and its senders learn what did not
// reach it; operators see it once a minute.
func TestRouterLeavesASlowReaderBehind(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		k, m := f.talking(nil)
		f.must("all serve", time.Minute, f.sawN("cluster.ready", 4))
		f.processOf(m, "1").Signal(syscall.SIGSTOP)
		f.pass(time.Millisecond)
		long := strings.Repeat("x", 100_000)
		for range 150 {
			k.ask("0", 0, "MESSAGE", `"message":"`+long+`","shards":[1,2]`, 0)
			f.pass(5 * time.Millisecond)
		}
		f.must("the others have all of it", time.Second, func() bool { return len(k.heard["2"]) == 150 })
		want(f, "reported to operators", f.saw("operations.refused"), 1)
		if k.undone < 20 {
			f.t.Fatalf("reported to the sender %d times of 150", k.undone)
		}
		a := k.ask("3", 0, "REQUEST", everyone+`,"data":"`+long+`"`, time.Second)
		f.must("an answer, at once", 100*time.Millisecond, func() bool { return len(a.ops) > 0 })
		if text := a.text(f.t); !strings.HasPrefix(text, "[0,2,3] of [0 2 3]; 1: send: 4") || !strings.HasSuffix(text, " bytes are waiting: peer reads too slowly: frame refused") {
			f.t.Fatalf("answer %s", text)
		}
		f.processOf(m, "1").Signal(syscall.SIGCONT)
		f.must("it has what was taken for it", time.Second, func() bool { return len(k.heard["1"]) == 150-k.undone })
		k.answered(k.ask("3", 0, "REQUEST", everyone, time.Second), 1100*time.Millisecond, "[0,1,2,3] of [0 1 2 3]")
		want(f, "deaths", f.saw("cluster.died"), 0)
		f.pass(2 * time.Minute)
		want(f, "reported to operators in the end", f.saw("operations.refused"), 2)
		refused := 0
		for _, e := range events[messages.OperationsRefused](f) {
			refused += e.Refused
		}
		want(f, "frames refused", refused, k.undone+1)
	})
}

// Stock bots get what upstream's manager would send, and nothing that they die of.
func TestRouterAndStockBots(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		k := &talk{fleet: f, voices: map[string]fakecluster.Voice{}, heard: map[string][]string{}}
		m := f.aloneWith(rules.Config{ShardCount: 4, MaxConcurrency: 4}, ours(initialise(4, 4)), f.stockPrograms(func(string, int) fakecluster.Stock {
			return fakecluster.Stock{Speaks: k.speaks, Hears: k.hears}
		}), discordoo, twoEach, evals)
		f.connect(m, "c", 0, 3)
		f.must("both serve", 3*time.Minute, f.sawN("cluster.ready", 2))
		all := `"shards":[0,1,2,3]`
		k.answered(k.ask("0", 0, "BROADCAST_EVAL", `"script":"1",`+all+`,"context":{}`, 0), time.Second, "[0,1] of []")
		k.answered(k.ask("0", 3, "", `"op":4,"keyspace":"x",`+all+`,"serialize":2`, 0), time.Second, "2 of []")
		for _, op := range []string{"13", "14", "15", "99", "-1"} {
			a := k.ask("0", 3, "", `"op":`+op+`,"keyspace":"x",`+all+`,"serialize":1`, 0)
			k.answered(a, time.Second, "[] of []")
			if !strings.Contains(string(a.ops[0].Data), `"success":false`) {
				f.t.Fatalf("cache operation %s: %s", op, a.ops[0].Data)
			}
		}
		k.answered(k.ask("0", 0, "REQUEST", `"name":"n",`+all, 0), time.Second,
			`refused: {"name":"Error","message":"cluster 0: it handles no requests: it is not on an SDK of ours"}`)
		k.answered(k.ask("1", 0, "GUILD_MEMBERS_REQUEST", `"shard_id":9,"guild_id":"1"`, 0), time.Second,
			`refused: {"name":"Error","message":"there is no such shard"}`)
		k.pause = func(op messages.Operation) time.Duration { return 50 * time.Second }
		k.answered(k.ask("0", 0, "BROADCAST_EVAL", `"script":"1",`+all, 0), 51*time.Second, "[0,1] of []")
		k.answered(k.ask("0", 3, "", `"op":4,"keyspace":"x",`+all+`,"serialize":2`, 0), 51*time.Second, "2 of []")
		k.pause = func(op messages.Operation) time.Duration { return 90 * time.Second }
		members := k.ask("1", 0, "GUILD_MEMBERS_REQUEST", `"shard_id":0,"guild_id":"1"`, 0)
		k.answered(k.ask("0", 0, "BROADCAST_EVAL", `"script":"1","shards":[1]`, 0), 59*time.Second+10*time.Millisecond,
			`refused: {"name":"Error","message":"cluster 1: it did not answer in time"}`)
		k.must("members", 32*time.Second, func() bool { return len(members.ops) == 1 && members.ops[0].Op == messages.IPCDispatch })
		f.pass(time.Minute)
		want(f, "deaths", f.saw("cluster.died"), 0)
	})
}

// CONTROL's own code panics in the Router: the frame it was handling is lost, and everything else
// goes on.
func TestRouterPanics(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		k, m := f.talking(nil)
		f.must("all serve", time.Minute, f.sawN("cluster.ready", 4))
		a := k.ask("0", 0, "REQUEST", everyone, 2*time.Second)
		n := 0
		m.Panic = func(actor string, msg any) bool {
			if actor == "router" && typeOf(msg) == "*router.Routed" {
				n++
				return n == 2 // the first answer
			}
			return false
		}
		f.must("an answer, in part", 2100*time.Millisecond, func() bool { return len(a.ops) > 0 })
		if text := a.text(f.t); strings.Count(text, "it did not answer in time") != 1 {
			f.t.Fatalf("answer %s", text)
		}
		k.answered(k.ask("0", 0, "REQUEST", everyone, 0), time.Second, "[0,1,2,3] of [0 1 2 3]")
		want(f, "reported", f.saw("control.broken"), 1)
	})
}

// The machine is suspended while a request is under way, and its bots wake a little later than
// CONTROL: their answers count, although their time is over by the clock.
func TestRouterSleeps(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		k, m := f.talking(nil)
		f.must("all serve", time.Minute, f.sawN("cluster.ready", 4))
		late := f.processOf(m, "1")
		late.Signal(syscall.SIGSTOP)
		f.pass(time.Millisecond)
		a := k.ask("0", 0, "REQUEST", everyone, 3*time.Second)
		f.pass(10 * time.Millisecond)
		m.Freeze(9 * time.Second)
		f.pass(9100 * time.Millisecond)
		want(f, "answer before its time", a.text(f.t), "0 answers")
		late.Signal(syscall.SIGCONT)
		k.answered(a, 100*time.Millisecond, "[0,1,2,3] of [0 1 2 3]")
	})
}

// Bots die, hang and talk at random for five minutes. Every request is answered once and in time,
// unless its requester died or hung.
func TestRouterInChaos(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		k, m := f.talking(nil)
		f.must("the order", time.Second, f.acked(m, "c", "connecting"))
		disturbed := map[*asked]bool{} // whose requester could not receive, for a moment at least
		overdue := func() error {
			for _, a := range k.asked {
				switch {
				case len(a.ops) > 1:
					return fmt.Errorf("%s was answered %d times", a.event, len(a.ops))
				case !a.by.Alive():
					disturbed[a] = true
				case !disturbed[a] && len(a.ops) == 0 && f.loop.Now() > a.at+a.within+100*time.Millisecond:
					return fmt.Errorf("%s, asked at %v for %v, is not answered", a.event, a.at, a.within)
				}
			}
			k.asked = slices.DeleteFunc(k.asked, func(a *asked) bool { return f.loop.Now() > a.at+time.Minute })
			return nil
		}
		check := f.loop.Check
		f.loop.Check = func() error {
			if err := overdue(); err != nil {
				return err
			}
			return check()
		}
		asks := 0
		for end := f.loop.Now() + 5*time.Minute; f.loop.Now() < end; {
			f.pass(time.Duration(f.loop.Rand.IntN(400)) * time.Millisecond)
			all := m.Processes()
			if n := f.loop.Rand.IntN(100); n < 5 && len(all) > 0 {
				all[f.loop.Rand.IntN(len(all))].Signal([]syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCONT, syscall.SIGCONT, syscall.SIGTERM}[n])
				continue
			}
			if k.ask(fmt.Sprint(f.loop.Rand.IntN(4)), 0, "REQUEST", everyone, time.Duration(100+f.loop.Rand.IntN(5000))*time.Millisecond) != nil {
				asks++
			}
		}
		f.pass(10 * time.Second)
		if asks < 100 {
			f.t.Fatalf("only %d requests", asks)
		}
		f.mustWithHelp(m, 4, "all serve again", 3*time.Minute, f.owned(8))
	})
}
