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

// Limits of the stream of events. A client that is tellingsMax behind is hung up on: it asks again with the last id it has, and what is kept is told.
const (
	streamsMax   = 64 // over TCP
	streamsEach  = 32 // of one address; and over the unix socket, which are others
	tellingsMax  = 1000
	eventsAtOnce = 200
	beatEvery    = 15 * time.Second // proxies end a silent connection after 60 s
	retryMS      = 2000             // a browser's wait before it connects again
)

// EventsAnswer is GET /api/v1/events without "accept: text/event-stream": what is kept of the events after an id.
type EventsAnswer struct {
	LastEvent uint64                 `json:"last_event"`
	Gap       bool                   `json:"gap"` // not all is kept
	Events    []messages.EventRecord `json:"events"`
}

// events lists or streams. ?after=id begins behind an event, the header Last-Event-ID too; ?level=debug|info|warn|error is the least level, info by default.
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

// list answers with what is kept. Who asks for all misses nothing.
func (s *Server) list(w http.ResponseWriter, r *http.Request, f messages.Follow, all bool) {
	t, err := ask(r.Context(), func(answer func(messages.EventBatch)) {
		f.Deliver = func(t messages.EventBatch) bool { answer(t); return false }
		s.follow(f)
	})
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusOK, EventsAnswer{t.Last, t.Gap && !all, append([]messages.EventRecord{}, t.Events...)})
}

// stream tells events as they come, for as long as the client listens.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, f messages.Follow) {
	open, done := s.streams.enter(visitor(r))
	if done == nil {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "too_many", fmt.Sprintf("%d streams are open, which is the limit", open))
		return
	}
	defer done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	tellings := make(chan messages.EventBatch, tellingsMax)
	f.Deliver = func(t messages.EventBatch) bool {
		if ctx.Err() != nil {
			return false
		}
		select {
		case tellings <- t:
			return true
		default: // too slow
			cancel()
			return false
		}
	}
	s.follow(f)
	line := wire{ResponseWriter: w, control: http.NewResponseController(w)}
	_ = line.control.SetReadDeadline(time.Time{}) // the request is read; its deadline would end the stream
	w.Header().Set("Content-Type", "text/event-stream")
	line.say("retry: %d\n\n", retryMS)
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for line.err == nil {
		select {
		case t := <-tellings:
			line.tell(withMore(t, tellings))
		case <-beat.C:
			line.say(": alive\n\n")
		case <-ctx.Done():
			return
		}
	}
}

// pools counts the streams that are open, by the address of who listens.
type pools struct {
	mu  sync.Mutex
	all map[string]int
}

// enter counts one more, until done is called; done is nil where the open ones are as many as there
// may be.
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

// open returns how many there are.
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

// withMore is a telling and those that wait behind it: a start of many shards is told in few writes.
func withMore(t messages.EventBatch, tellings <-chan messages.EventBatch) messages.EventBatch {
	for len(t.Events) < eventsAtOnce {
		select {
		case more := <-tellings:
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

// tell writes events, each with its id. A gap comes first, as an event of that type, with the last id: who kept a picture by events asks for it anew.
func (l *wire) tell(t messages.EventBatch) {
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
		l.say("%s", b.String())
	}
}

func (l *wire) say(format string, args ...any) {
	_ = l.control.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, l.err = io.WriteString(l, fmt.Sprintf(format, args...)); l.err == nil {
		l.err = l.control.Flush()
	}
}
