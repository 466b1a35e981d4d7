package fakecluster

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/test/sim"
)

// Behind is a bot of any library behind a gateway host. It behaves as libraries do: it identifies,
// answers heartbeats with the sequence of what it has handled, and resumes. The zero value is a
// good bot.
type Behind struct {
	Boot  time.Duration // from exec to its first connection
	Crawl time.Duration // for each event, in which it does nothing else
	// Sends no heartbeat from then on; 0: it always does.
	MuteAfter time.Duration
	// The name of its library: some are treated otherwise.
	Name string
	// Poisoned reports whether a numbered event ends the process; nil: none does.
	Poisoned func(shard int, number int64) bool

	url   string
	host  *sim.Proc
	diary *Diary
}

// Program runs the bot as a process.
func (b Behind) Program(p *sim.Proc) {
	g := newGuest(p)
	p.OnSignal = func(syscall.Signal) { p.Exit(0, "") }
	var ids []int
	if err := json.Unmarshal([]byte(p.Env("SHARDS")), &ids); err != nil {
		panic(err) // a bug of CONTROL
	}
	began := time.Now()
	p.After(b.Boot, func() {
		for _, id := range ids {
			s := &behindShard{Behind: b, guest: g, id: id, began: began, rand: rand.New(rand.NewPCG(uint64(p.PID()), uint64(id)))}
			go s.live()
		}
	})
}

// behindShard is one shard of it.
type behindShard struct {
	Behind
	*guest
	id      int
	began   time.Time
	rand    *rand.Rand
	session string // local; "": none
	seq     int64  // handled
	number  int64  // of the last numbered event that was handled
}

// draw returns a random duration below most.
func (s *behindShard) draw(most time.Duration) time.Duration {
	return time.Duration(s.rand.Int64N(int64(most)))
}

// rest waits, and reports whether the process lives.
func (s *behindShard) rest(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-s.ctx.Done():
		return false
	}
}

// live is its life, connection after connection.
func (s *behindShard) live() {
	for alive := s.rest(s.draw(50 * time.Millisecond)); alive; alive = s.rest(500*time.Millisecond + s.draw(time.Second)) {
		if ws, err := s.dial(); err == nil {
			s.connection(ws)
			_ = ws.Close()
		}
	}
}

func (s *behindShard) dial() (*websocket.Conn, error) {
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second, NetDialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		n, _ := strconv.Atoi(port)
		return s.connect(ctx, n)
	}}
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	u.RawQuery = "v=10&encoding=json"
	ws, resp, err := dialer.DialContext(s.ctx, u.String(), nil)
	if resp != nil {
		_ = resp.Body.Close()
	}
	return ws, err
}

// frame holds the fields that it reads.
type frame struct {
	Op int
	T  string
	S  int64
	D  json.RawMessage
}

// connection lives one connection.
func (s *behindShard) connection(ws *websocket.Conn) {
	in, over := make(chan frame), make(chan struct{})
	defer close(over)
	go func() {
		defer close(in)
		for {
			var f frame
			if ws.ReadJSON(&f) != nil {
				return
			}
			select {
			case in <- f:
			case <-over:
				return
			}
		}
	}()
	var beat <-chan time.Time
	var every time.Duration
	var waiting []int64 // numbers handled at each heartbeat that is not answered
	var unanswered int
	ours := false
	heart := func() bool {
		if s.MuteAfter > 0 && time.Since(s.began) > s.MuteAfter {
			return true
		}
		if ours || s.Name == "" { // another is not answered
			waiting = append(waiting, s.number)
		}
		d := "null"
		if s.seq > 0 {
			d = strconv.FormatInt(s.seq, 10)
		}
		return s.send(ws, `{"op":1,"d":%s}`, d)
	}
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-beat:
			if unanswered++; unanswered > 2 {
				_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4000, ""), time.Now().Add(time.Second))
				return
			}
			ours = true
			if beat = time.After(every); !heart() {
				return
			}
			ours = false
		case f, open := <-in:
			if !open {
				return
			}
			switch f.Op {
			case 10:
				var hello struct {
					Every int64 `json:"heartbeat_interval"`
				}
				_ = json.Unmarshal(f.D, &hello)
				every = time.Duration(hello.Every) * time.Millisecond
				beat = time.After(s.draw(every))
				if !s.greet(ws) {
					return
				}
			case 1:
				if !heart() {
					return
				}
			case 11:
				if unanswered = 0; len(waiting) > 0 {
					s.diary.acked(s, waiting[0])
					waiting = waiting[1:]
				}
			case 7:
				return
			case 9:
				s.session, s.seq, s.number = "", 0, 0
				s.rest(time.Second + s.draw(4*time.Second))
				return
			case 0:
				if !s.event(f) {
					return
				}
			}
		}
	}
}

func (s *behindShard) send(ws *websocket.Conn, format string, args ...any) bool {
	_ = ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)) == nil
}

// greet answers HELLO.
func (s *behindShard) greet(ws *websocket.Conn) bool {
	token := s.p.Env("DISCORD_TOKEN")
	if s.session != "" {
		return s.send(ws, `{"op":6,"d":{"token":%q,"session_id":%q,"seq":%d}}`, token, s.session, s.seq)
	}
	return s.send(ws, `{"op":2,"d":{"token":%q,"intents":513,"shard":[%d,%s],"properties":{"browser":%q}}}`,
		token, s.id, s.p.Env("SHARD_COUNT"), s.Name)
}

// event handles a dispatch, and reports whether the process goes on.
func (s *behindShard) event(f frame) bool {
	var d struct {
		SessionID string `json:"session_id"`
		Content   string
	}
	_ = json.Unmarshal(f.D, &d)
	number := int64(0)
	switch f.T {
	case "READY":
		s.session, s.number = d.SessionID, 0
	case "MESSAGE_CREATE":
		number, _ = strconv.ParseInt(d.Content, 10, 64)
		if s.ctx.Err() != nil { // it died before
			return false
		}
		s.diary.got(s, number)
		if s.Poisoned != nil && s.Poisoned(s.id, number) {
			s.do(func() { s.p.Exit(1, "poison\n") })
			<-s.ctx.Done()
			return false
		}
	}
	if s.Crawl > 0 && !s.rest(s.Crawl) {
		return false
	}
	if s.seq = f.S; number > 0 {
		s.number = number
	}
	return true
}
