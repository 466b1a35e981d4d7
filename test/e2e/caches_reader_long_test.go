//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport/discord/cache"
	"github.com/discluster/control/transport/discord/local"
	"github.com/discluster/control/transport/discord/snapshot"
)

// reader is one client, and its shard.
type reader struct {
	*clients
	shard int
	seq   int64 // of Discord's last event
	from  chan report
}

// reader returns the next client, which is not started.
func (c *clients) reader() *reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	one := &reader{clients: c, shard: c.next - 1, from: make(chan report, 8)}
	c.reports[one.name()] = one.from
	return one
}

func (r *reader) name() string { return strconv.Itoa(r.shard) }

func (r *reader) session() string { return fmt.Sprint("s", r.shard) }

func (r *reader) start(s story) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return json.NewEncoder(r.out).Encode(object{"client": r.name(), "shard": []int{r.shard, r.shards}, "members": s.members, "presences": s.presences})
}

// end forgets a client.
func (r *reader) end() {
	r.server.With(r.shard, func(sh *local.Shard, _ time.Time) { sh.Lost() })
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reports, r.name())
	delete(r.intents, r.shard)
}

// report waits for the next report.
func (r *reader) report() (report, error) {
	select {
	case got := <-r.from:
		if got.Error != "" {
			return got, errors.New(got.Error)
		}
		return got, nil
	case <-time.After(reportWithin):
		return report{}, fmt.Errorf("no report within %v", reportWithin)
	}
}

// data returns "d" of an event for this client.
func (r *reader) data(e dispatch) []byte {
	if e.kind == "READY" {
		return []byte(strings.Replace(e.d, session, r.session(), 1))
	}
	return []byte(e.d)
}

// dispatch is Discord, which sends an event.
func (r *reader) dispatch(e dispatch) {
	r.seq++
	r.server.With(r.shard, func(sh *local.Shard, now time.Time) { sh.Dispatch(now, r.seq, e.kind, r.data(e)) })
}

// state sends the last event and returns the client's caches.
func (r *reader) state() ([]byte, error) {
	r.dispatch(dispatch{"END", "{}"})
	got, err := r.report()
	return got.State, err
}

// early is a client that is there from the beginning.
func (r *reader) early(s story, intents chan<- int64) ([]byte, error) {
	defer r.end()
	defer close(intents)
	if err := r.start(s); err != nil {
		return nil, err
	}
	select {
	case i := <-r.identified(r.shard):
		intents <- i
	case got := <-r.from:
		return nil, errors.New(got.Error)
	case <-time.After(reportWithin):
		return nil, errors.New("it does not identify")
	}
	stolen := noSteal
	for i, e := range s.events {
		r.dispatch(e)
		if i+1 == s.opening {
			if _, err := r.report(); err != nil {
				return nil, err
			}
		}
		if i+1 == s.resumes {
			stolen = r.steal()
		}
	}
	select {
	case <-stolen:
	case <-time.After(reportWithin):
		return nil, errors.New("it does not resume")
	}
	return r.state()
}

// steal resumes a client's session, which costs the client its connection. The channel is closed
// once the client has resumed it.
func (r *reader) steal() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r.t.Context().Err() == nil && !websocket.IsCloseError(r.hold(), 4000) { // the gateway may be short of connections
		}
	}()
	return done
}

// hold has the client's session until its connection ends, and returns the reason.
func (r *reader) hold() error {
	ws, _, err := websocket.DefaultDialer.Dial(r.server.URL(), nil)
	if err != nil {
		return err
	}
	defer ws.Close()
	for {
		var p struct{ Op int }
		if err := ws.ReadJSON(&p); err != nil {
			return err
		}
		if p.Op != 10 && p.Op != 9 { // HELLO; or the client has just acknowledged more
			continue
		}
		var acked int64
		r.server.With(r.shard, func(sh *local.Shard, _ time.Time) { _, acked, _ = sh.Session() })
		if err := ws.WriteJSON(object{"op": 6, "d": object{"token": token, "session_id": r.session() + "-1-1", "seq": acked}}); err != nil {
			return err
		}
	}
}

// noSteal is closed.
var noSteal = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// late is a client that begins at the cut.
func (r *reader) late(s story, intents <-chan int64) ([]byte, error) {
	defer r.end()
	i, ok := <-intents
	if !ok {
		return nil, nil // the early one has failed
	}
	if s.host {
		if err := r.restore(s, i); err != nil {
			return nil, err
		}
	} else {
		r.predecessor(s, i)
	}
	r.server.With(r.shard, func(sh *local.Shard, _ time.Time) { sh.Hold(true) }) // as the host does
	if err := r.start(s); err != nil {
		return nil, err
	}
	if _, err := r.report(); err != nil {
		return nil, err
	}
	r.server.With(r.shard, func(sh *local.Shard, _ time.Time) { sh.Hold(false) })
	for _, e := range s.events[s.cut:] {
		r.dispatch(e)
	}
	return r.state()
}

// predecessor is a bot that is sent all up to the cut, acknowledges some of it, and dies.
func (r *reader) predecessor(s story, intents int64) {
	with := func(do func(*local.Shard, time.Time)) { r.server.With(r.shard, do) }
	with(func(sh *local.Shard, now time.Time) {
		_ = sh.Identify(now, fmt.Appendf(nil, `{"intents":%d}`, intents))
	})
	for i, e := range s.events[:s.cut] {
		r.dispatch(e)
		if i+1 == s.acked {
			with(func(sh *local.Shard, now time.Time) {
				for more := true; more; {
					_, more = sh.Next(now)
				}
				sh.Heartbeat(r.seq)
			})
		}
	}
	with(func(sh *local.Shard, _ time.Time) { sh.Died(true) })
}

// restore is the next host, which has the snapshot as of the last acknowledgement; Discord replays
// the rest.
func (r *reader) restore(s story, intents int64) error {
	path := filepath.Join(r.t.TempDir(), "snapshot")
	log, _, err := snapshot.Open(path)
	if err != nil {
		return err
	}
	var known cache.Cache
	for _, e := range s.events[:s.acked] {
		if d := r.data(e); known.Apply(e.kind, d) {
			log.Event(e.kind, d)
		}
	}
	r.seq = int64(s.acked)
	if err := log.Commit(snapshot.Commit{Session: r.session(), Seq: r.seq, Intents: intents}, &known); err != nil {
		return err
	}
	log.Close()
	log, found, err := snapshot.Open(path)
	if err != nil {
		return err
	}
	log.Close()
	r.server.With(r.shard, func(sh *local.Shard, _ time.Time) {
		sh.Restore(found.Session, found.Seq, found.Intents, found.Cache, found.Suspects)
		sh.Replays()
	})
	for _, e := range s.events[s.acked:s.cut] {
		r.dispatch(e)
	}
	r.dispatch(dispatch{"RESUMED", "{}"})
	return nil
}
