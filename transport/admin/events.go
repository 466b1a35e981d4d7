package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/discluster/control/messages"
)

// Limits of the stream of events. A client that is batchesMax behind is disconnected: it connects
// again with the last id it has, and gets what is kept.
const (
	streamsMax   = 64 // over TCP
	streamsEach  = 32 // of one address; the unix socket has its own
	batchesMax   = 1000
	eventsAtOnce = 200
	beatEvery    = 15 * time.Second // proxies end a silent connection after 60 s
	retryMS      = 2000             // a browser's wait before it reconnects
)

// EventsAnswer is GET /api/v1/events without "accept: text/event-stream": the kept events after an
// id.
type EventsAnswer struct {
	LastEvent uint64                 `json:"last_event"`
	Gap       bool                   `json:"gap"` // some are no longer kept
	Events    []messages.EventRecord `json:"events"`
}

// events lists or streams. ?after=id or the header Last-Event-ID starts after an event;
// ?level=debug|info|warn|error is the lowest level, info by default.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	f := messages.Follow{Least: messages.LevelInfo}
	var err error
	if level := r.URL.Query().Get("level"); level != "" {
		f.Least, err = messages.ParseLevel(level)
	}
	stream := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	after := r.URL.Query().Get("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		after = last
	}
	all := after == "" && !stream
	if all {
		after = "1"
	}
	if after != "" && err == nil {
		if f.After, err = strconv.ParseUint(after, 10, 64); err != nil {
			err = fmt.Errorf("after %.40q: want the id of an event", after)
		}
	}
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "bad_query", err.Error())
	case stream:
		s.stream(w, r, f)
	default:
		s.list(w, r, f, all)
	}
}

// list answers with the kept events. A request for all of them has no gap.
func (s *Server) list(w http.ResponseWriter, r *http.Request, f messages.Follow, all bool) {
	t, err := ask(r.Context(), func(answer func(messages.EventBatch)) {
		f.Deliver = func(t messages.EventBatch) bool { answer(t); return false }
		s.follow(f)
	})
	if err != nil {
		failed(w, err)
		return
	}
	show(w, r, EventsAnswer{t.Last, t.Gap && !all, append([]messages.EventRecord{}, t.Events...)}, time.Time{})
}

// stream sends events as they come, until the client disconnects.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, f messages.Follow) {
	open, done := s.streams.enter(visitor(r))
	if done == nil {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "too_many", fmt.Sprintf("%d streams are open, the maximum", open))
		return
	}
	defer done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	batches := make(chan messages.EventBatch, batchesMax)
	f.Deliver = func(t messages.EventBatch) bool {
		if ctx.Err() != nil {
			return false
		}
		select {
		case batches <- t:
			return true
		default: // too slow
			cancel()
			return false
		}
	}
	s.follow(f)
	line := wire{ResponseWriter: w, control: http.NewResponseController(w)}
	// the request is read; its deadline would end the stream
	_ = line.control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	line.write("retry: %d\n\n", retryMS)
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for line.err == nil {
		select {
		case t := <-batches:
			line.send(withMore(t, batches))
		case <-beat.C:
			line.write(": alive\n\n")
		case <-ctx.Done():
			return
		}
	}
}

// pools counts the open streams by the address of their client.
type pools struct {
	mu  sync.Mutex
	all map[string]int
}

// enter counts one more, until done is called; done is nil at the maximum.
func (p *pools) enter(from string) (open int, done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[string]int{}
	}
	total := p.total()
	switch {
	case p.all[from] >= streamsEach:
		return streamsEach, nil
	case from != "" && total-p.all[""] >= streamsMax:
		return streamsMax, nil
	}
	p.all[from]++
	return total + 1, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.all[from]--; p.all[from] == 0 {
			delete(p.all, from)
		}
	}
}

// open returns the number of open streams.
func (p *pools) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total()
}

func (p *pools) total() (n int) {
	for _, open := range p.all {
		n += open
	}
	return n
}

// withMore appends the waiting batches to one: a start of many shards needs few writes.
func withMore(t messages.EventBatch, batches <-chan messages.EventBatch) messages.EventBatch {
	for len(t.Events) < eventsAtOnce {
		select {
		case more := <-batches:
			t.Events, t.Last = append(t.Events, more.Events...), more.Last
		default:
			return t
		}
	}
	return t
}

// wire is a client's end of a stream.
type wire struct {
	http.ResponseWriter
	control *http.ResponseController
	err     error
}

// send writes events, each with its id. A gap comes first, as an event of that type, with the last
// id: a client that keeps a view must request it again.
func (l *wire) send(t messages.EventBatch) {
	var b strings.Builder
	if t.Gap {
		fmt.Fprintf(&b, "event: gap\ndata: {\"last_event\":%d}\n\n", t.Last)
	}
	for _, e := range t.Events {
		text, err := json.Marshal(e)
		if err != nil {
			text = fmt.Appendf(nil, `{"id":%d,"err":%q}`, e.ID, err)
		}
		fmt.Fprintf(&b, "id: %d\ndata: %s\n\n", e.ID, text)
	}
	if b.Len() > 0 {
		l.write("%s", b.String())
	}
}

func (l *wire) write(format string, args ...any) {
	_ = l.control.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, l.err = io.WriteString(l, fmt.Sprintf(format, args...)); l.err == nil {
		l.err = l.control.Flush()
	}
}
