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

// behindConn is one connection of a shard.
type behindConn struct {
	*behindShard
	ws         *websocket.Conn
	every      time.Duration // between its own heartbeats
	beat       <-chan time.Time
	waiting    []int64 // numbers handled at each heartbeat that is not answered
	unanswered int     // heartbeats of its own since the last answer
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
	c := &behindConn{behindShard: s, ws: ws}
	for goesOn := true; goesOn; {
		select {
		case <-s.ctx.Done():
			return
		case <-c.beat:
			c.beat = time.After(c.every)
			if c.unanswered++; c.unanswered > 2 { // a zombie connection
				_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4000, ""), time.Now().Add(time.Second))
				return
			}
			goesOn = c.heart(true)
		case f, open := <-in:
			goesOn = open && c.frame(f)
		}
	}
}

// heart sends a heartbeat, its own or one that it was asked for.
func (c *behindConn) heart(own bool) bool {
	if c.MuteAfter > 0 && time.Since(c.began) > c.MuteAfter {
		return true
	}
	if own || c.Name == "" { // another is not answered
		c.waiting = append(c.waiting, c.number)
	}
	if c.seq == 0 {
		return c.send(`{"op":1,"d":null}`)
	}
	return c.send(`{"op":1,"d":%d}`, c.seq)
}

// frame handles a frame, and reports whether the connection goes on.
func (c *behindConn) frame(f frame) bool {
	switch f.Op {
	case 0:
		return c.event(f)
	case 1:
		return c.heart(false)
	case 9:
		c.session, c.seq, c.number = "", 0, 0
		c.rest(time.Second + c.draw(4*time.Second))
		return false
	case 10:
		var hello struct {
			Every int64 `json:"heartbeat_interval"`
		}
		_ = json.Unmarshal(f.D, &hello)
		c.every = time.Duration(hello.Every) * time.Millisecond
		c.beat = time.After(c.draw(c.every))
		return c.greet()
	case 11:
		if c.unanswered = 0; len(c.waiting) > 0 {
			c.diary.acked(c.behindShard, c.waiting[0])
			c.waiting = c.waiting[1:]
		}
	}
	return f.Op != 7
}

func (c *behindConn) send(format string, args ...any) bool {
	_ = c.ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return c.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)) == nil
}

// greet answers HELLO.
func (c *behindConn) greet() bool {
	token := c.p.Env("DISCORD_TOKEN")
	if c.session != "" {
		return c.send(`{"op":6,"d":{"token":%q,"session_id":%q,"seq":%d}}`, token, c.session, c.seq)
	}
	return c.send(`{"op":2,"d":{"token":%q,"intents":513,"shard":[%d,%s],"properties":{"browser":%q}}}`,
		token, c.id, c.p.Env("SHARD_COUNT"), c.Name)
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
