package router

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
)

// wire is the instance's end of a conn to a Router. It keeps the frames that it gets.
type wire struct {
	transport.Link
	mu   sync.Mutex
	got  [][]byte
	took int
	busy bool // refuses every frame that is offered
}

func (w *wire) Ack() { w.took++ }

func (w *wire) Offer(frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy {
		return transport.ErrBusy
	}
	w.got = append(w.got, bytes.Clone(frame))
	return nil
}

// next removes and returns the oldest frame, or "".
func (w *wire) next() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.got) == 0 {
		return ""
	}
	frame := w.got[0]
	w.got = w.got[1:]
	return string(frame)
}

// switchboard is a Router of its own, and instances on it, two shards each.
type switchboard struct {
	t      testing.TB
	root   *actor.RootContext
	router *actor.PID
	events chan messages.Event
	wires  []*wire
}

func newSwitchboard(t testing.TB, o Options, instances int, stock bool) *switchboard {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	b := &switchboard{t: t, root: system.Root, events: make(chan messages.Event, 100)}
	events := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if e, ok := ctx.Message().(messages.Event); ok {
			b.events <- e
		}
	}))
	w := &world.World{Clocks: world.NewClocks(time.Now), Log: zerolog.Nop(), After: func(time.Duration, func()) func() { return func() {} }}
	b.router = system.Root.Spawn(New(w, world.Addresses{Events: events}, o, 1))
	for i := range instances {
		b.plug(messages.ClusterID(i), stock, instances)
	}
	t.Cleanup(func() { system.Root.Stop(b.router); system.Shutdown() })
	return b
}

// plug puts an instance on the conn.
func (b *switchboard) plug(id messages.ClusterID, stock bool, of int) *wire {
	w := &wire{}
	b.wires = append(b.wires, w)
	first := 2 * int(id)
	b.root.Send(b.router, ConnOpened{Conn: Conn{Cluster: id, Shards: messages.ShardRange{First: first, Last: first + 1}, Link: w, Stock: true}, Fleet: FleetShape{2 * of, 2}})
	b.root.Send(b.router, ConnGreeted{Link: w, Stock: stock})
	return w
}

// say sends a frame of an instance, and waits until the Router has handled it.
func (b *switchboard) say(from *wire, frame string) {
	b.t.Helper()
	m := spareRouted.Get().(*Routed)
	m.Link = from
	if ours, err := m.Parcel.Read([]byte(frame)); !ours {
		b.t.Fatalf("%s: no parcel: %v", frame, err)
	}
	b.root.Send(b.router, m)
	b.settle()
}

// settle waits until the Router has handled everything before it.
func (b *switchboard) settle() {
	done := make(chan struct{})
	w := &signal{done: done}
	b.root.Send(b.router, ConnOpened{Conn: Conn{Cluster: 1 << 20, Link: w}, Fleet: FleetShape{2 * len(b.wires), 2}})
	m := spareRouted.Get().(*Routed)
	m.Link = w
	_, _ = m.Parcel.Read([]byte(`{"type":"__DDOO__.MESSAGE","data":{"op":0,"t":"RESTRUCTURING","d":{"event_id":"settle"}}}`))
	b.root.Send(b.router, m)
	b.root.Send(b.router, connEnded{link: w})
	<-done
}

// signal is a wire that closes done when a frame of it was handled.
type signal struct {
	transport.Link
	done chan struct{}
}

func (s *signal) Ack() { close(s.done) }

// recordedLine is one conn of the recordings of upstream's manager.
type recordedLine struct{ Sock, Dir, Raw string }

// recording reads one of them.
func recording(t *testing.T, file string) (all []recordedLine) {
	t.Helper()
	text, err := os.ReadFile("../../transport/ipc/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for conns := bufio.NewScanner(bytes.NewReader(text)); conns.Scan(); {
		var l recordedLine
		if err := json.Unmarshal(conns.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Raw != "" {
			all = append(all, l)
		}
	}
	return all
}

// eventOf returns a frame's event_id, and the frame without it.
func eventOf(t *testing.T, frame string) (event string, rest map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(frame), &rest); err != nil {
		t.Fatalf("%q: %v", frame, err)
	}
	if d, ok := rest["data"].(map[string]any)["d"].(map[string]any); ok {
		event, _ = d["event_id"].(string)
		delete(d, "event_id")
	}
	return event, rest
}

// departures are answers that differ from upstream's, by the event_id of the request: one per
// instance where upstream asks once per shard and counts twice, and no bot's code runs in CONTROL.
var departures = map[string]string{
	"14386338866709265695994074015643729926": `{"op":3,"d":{"event_id":"14386338866709265695994074015643729926","success":true,"result":2}}`,
	"14386470574786494140154041299250446342": `{"op":3,"d":{"event_id":"14386470574786494140154041299250446342","success":true,"result":4}}`,
	"14386338866167666928806720145375363075": `{"op":4,"t":"BROADCAST_EVAL","d":{"event_id":"14386338866167666928806720145375363075",` +
		`"result":{"name":"Error","message":"cluster 1111111111: CONTROL itself: it runs no code and handles no request of clusters"}}}`,
}

// Recordings of upstream's manager with two real instances have every operation of PROTOCOL A4. The
// Router gets the recorded frames of the instances and sends them the recorded answers.
func TestRecordedOperations(t *testing.T) {
	for file, operations := range map[string]int{"official-2x2-ops.wire.jsonl": 20, "official-unknown-targets.wire.jsonl": 5} {
		t.Run(file, func(t *testing.T) {
			b := newSwitchboard(t, Options{Eval: true}, 2, true)
			wires, asked := map[string]*wire{}, map[string]bool{}
			hops := map[string]string{} // upstream's event_ids to ours
			last := ""                  // the frame passed on last, and its target
			for _, l := range recording(t, file) {
				w := wires[l.Sock]
				if w == nil {
					w = b.wires[len(wires)]
					wires[l.Sock] = w
				}
				event, rest := eventOf(t, l.Raw)
				var parcel codec.Parcel
				ours, _ := parcel.Read([]byte(l.Raw))
				switch {
				case !ours: // HELLO and its like
				case l.Dir == "I>M" && parcel.Answer:
					if ours := hops[event]; ours != "" { // else to the manager's own, or to upstream's second hop
						b.say(w, strings.Replace(l.Raw, event, ours, 1))
					}
				case l.Dir == "I>M":
					asked[event], last = true, ""
					b.say(w, l.Raw)
				case len(asked) > 0: // before that the manager itself asked
					this := l.Sock + string(mustJSON(t, rest))
					if !asked[event] && this == last {
						continue // upstream's second hop to one instance
					}
					got := w.next()
					gotEvent, gotRest := eventOf(t, got)
					if departure, ok := departures[event]; ok {
						gotEvent, rest = eventOf(t, `{"type":"__DDOO__.MESSAGE","data":`+departure+`}`)
					}
					if !reflect.DeepEqual(gotRest, rest) {
						t.Errorf("\n got %s\nwant %s", got, l.Raw)
					}
					if asked[event] {
						if gotEvent != event {
							t.Errorf("answered with event %s, want %s", gotEvent, event)
						}
						operations--
						continue
					}
					last, hops[event] = this, gotEvent
				}
			}
			for i, w := range b.wires {
				if extra := w.next(); extra != "" {
					t.Errorf("instance %d got more than upstream's: %s", i, extra)
				}
			}
			if operations != 0 {
				t.Errorf("%d answers too few", operations)
			}
		})
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
