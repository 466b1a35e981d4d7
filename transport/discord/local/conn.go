package local

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport/discord/pack"
)

// Close codes (Discord docs, Gateway Close Event Codes).
const (
	closeResume     = 4000 // every library resumes after it
	closeUnknownOp  = 4001
	closeDecode     = 4002
	closeNoIdentify = 4003
	closeToken      = 4004
	closeTwice      = 4005
	closeFlood      = 4008
	closeSilent     = 4009
	closeShard      = 4010
	closeVersion    = 4012
	closeIntents    = 4013
)

// Opcodes that only the server sees.
const (
	opIdentify = 2
	opResume   = 6
	opHello    = 10
	opACK      = 11
)

// conn is one connection of the bot: a reader and a writer.
type conn struct {
	s      *Server
	ws     *websocket.Conn
	out    *batch
	packer *pack.Packer
	buf    []byte        // the writer's, for payloads
	wake   chan struct{} // there is something to write
	done   chan struct{} // the reader has ended

	opened time.Time
	heard  atomic.Int64 // when anything came last, in ns of the Unix epoch
	beat   atomic.Int64 // when a heartbeat came last, or HELLO was sent

	mu      sync.Mutex
	bridge  *bridge  // nil before IDENTIFY or RESUME
	release func()   // lets it be closed for another; nil: it may be
	control [][]byte // payloads that go before all else
	ending  *ending  // how to close the connection; nil: it stays open
}

type ending struct {
	code   int
	reason string
}

// refusal is why what the bot did ends its connection.
type refusal ending

func refused(code int, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

var upgrader = websocket.Upgrader{
	HandshakeTimeout: headerWait, ReadBufferSize: 4096, WriteBufferSize: 4096,
	CheckOrigin: func(*http.Request) bool { return true }, // a page knows no path
}

// gateway serves one connection, from its handshake to its end. It may be closed for another one
// until the bot has shown its token.
func (s *Server) gateway(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer func() { _ = ws.Close() }()
	c := &conn{s: s, ws: ws, opened: time.Now(), wake: make(chan struct{}, 1)}
	c.done = make(chan struct{})
	defer c.free()
	c.out, _ = ws.NetConn().(*batch)
	if !s.admit(c) {
		return
	}
	defer s.leave(c)
	no := c.negotiate(r)
	c.out.start(c.hears)
	c.hears()
	c.beat.Store(time.Now().UnixNano())
	c.control = append(c.control, helloPayload(s.cfg.Heartbeat))
	if no != nil {
		c.refuse(no)
	}
	written := make(chan struct{})
	go func() { defer close(written); c.write() }()
	c.read()
	close(c.done)
	<-written
	c.depart()
}

// negotiate reads the address's version, encoding and compression.
func (c *conn) negotiate(r *http.Request) *refusal {
	q := r.URL.Query()
	var err error
	if c.packer, err = pack.New(q.Get("compress")); err != nil {
		c.packer, _ = pack.New("")
		return refused(closeDecode, "%s", err.Error())
	}
	if e := q.Get("encoding"); e != "" && e != "json" {
		return refused(closeDecode, "encoding %.20q: this gateway speaks json; "+
			"remove the erlpack package, or set the encoding.", e)
	}
	if v := q.Get("v"); v != "" && v != "9" && v != "10" {
		return refused(closeVersion, "API version %.20q: this gateway speaks 9 and 10.", v)
	}
	return nil
}

func helloPayload(interval time.Duration) []byte {
	const hello = `{"t":null,"s":null,"op":%d,"d":{"heartbeat_interval":%d,"_trace":[]}}`
	return fmt.Appendf(nil, hello, opHello, interval.Milliseconds())
}

// nudge wakes the writer.
func (c *conn) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// end has the writer close the connection, and reports whether it does: the first one counts.
func (c *conn) end(code int, reason string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nudge()
	if c.ending != nil {
		return false
	}
	c.ending = &ending{code, reason}
	return true
}

// refuse ends the connection for what the bot did, and reports it.
func (c *conn) refuse(r *refusal) {
	if c.end(r.code, r.reason) && c.s.cfg.Refused != nil {
		id := -1
		if b := c.bridged(); b != nil {
			id = b.id
		}
		c.s.cfg.Refused(id, r.code, r.reason)
	}
}

// bridged returns the shard of the connection, nil before IDENTIFY or RESUME.
func (c *conn) bridged() *bridge {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bridge
}

// depart reports to the shard that its connection is gone.
func (c *conn) depart() {
	b := c.bridged()
	if b == nil {
		return
	}
	c.mu.Lock()
	ordered := c.ending != nil && c.ending.code == closeResume
	c.mu.Unlock()
	c.s.with(b, func(sh *Shard, _ time.Time) {
		if b.conn == c {
			b.conn = nil
			sh.Ended(ordered)
		}
	})
}

// hears notes that the bot lives.
func (c *conn) hears() { c.heard.Store(time.Now().UnixNano()) }

// read takes the bot's frames until the connection ends. After a refusal it only waits for the end,
// so that the close frame is not lost in a reset.
func (c *conn) read() {
	c.ws.SetPongHandler(func(string) error { c.hears(); return nil })
	c.ws.SetPingHandler(func(data string) error {
		c.hears()
		return c.signal(websocket.PongMessage, []byte(data))
	})
	c.ws.SetCloseHandler(func(code int, _ string) error {
		return c.signal(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
	})
	over := false
	for {
		_, from, err := c.ws.NextReader()
		var frame []byte
		if err == nil {
			frame, err = io.ReadAll(io.LimitReader(from, frameMax+1))
		}
		if err != nil {
			return
		}
		c.hears()
		if over {
			continue
		}
		if r := c.take(frame); r != nil {
			over = true
			c.refuse(r)
		}
	}
}

// take takes one frame of the bot.
func (c *conn) take(frame []byte) *refusal {
	if len(frame) > frameMax {
		return refused(closeDecode, "A frame has more than %d bytes.", frameMax)
	}
	var p struct {
		Op *int            `json:"op"`
		D  json.RawMessage `json:"d"`
	}
	if err := json.Unmarshal(frame, &p); err != nil || p.Op == nil {
		return refused(closeDecode, "A frame is no JSON object with an op: %.60q", frame)
	}
	switch *p.Op {
	case OpHeartbeat:
		return c.heartbeat(p.D)
	case opIdentify:
		return c.identify(p.D)
	case opResume:
		return c.resume(p.D)
	case opPresence, opVoice, opMembers, 31, 43: // sounds, channels
		b := c.bridged()
		if b == nil {
			return refused(closeNoIdentify, "Op %d came before IDENTIFY.", *p.Op)
		}
		c.s.with(b, func(sh *Shard, now time.Time) { sh.Request(now, *p.Op, p.D) })
		return nil
	}
	return refused(closeUnknownOp, "Op %d is unknown.", *p.Op)
}

// reply queues a payload of the server's own.
func (c *conn) reply(payload string) *refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.control) >= controlMax {
		return refused(closeFlood, "Frames come faster than their answers are read.")
	}
	c.control = append(c.control, []byte(payload))
	c.nudge()
	return nil
}

func (c *conn) heartbeat(d []byte) *refusal {
	c.beat.Store(time.Now().UnixNano())
	seq, err := strconv.ParseInt(string(d), 10, 64)
	if err != nil && len(d) > 0 && string(d) != "null" {
		return refused(closeDecode, "A heartbeat has %.20q for a sequence.", d)
	}
	after, acknowledged := time.Duration(0), true
	if b := c.bridged(); b != nil {
		c.s.with(b, func(sh *Shard, _ time.Time) {
			if b.conn != c {
				return
			}
			if after, acknowledged = sh.Acknowledges(); err == nil {
				sh.Heartbeat(seq)
			}
		})
	}
	answer := fmt.Sprintf(`{"t":null,"s":null,"op":%d,"d":null}`, opACK)
	switch {
	case !acknowledged:
		return nil
	case after > 0:
		time.AfterFunc(after, func() {
			if r := c.reply(answer); r != nil {
				c.refuse(r)
			}
		})
		return nil
	}
	return c.reply(answer)
}

// identifyFrame and resumeFrame are what the server looks at in an IDENTIFY and a RESUME.
type identifyFrame struct {
	Token string `json:"token"`
	Shard [2]int `json:"shard"`
}

type resumeFrame struct {
	Token     string `json:"token"`
	SessionID string `json:"session_id"`
	Seq       int64  `json:"seq"`
}

// identify begins a local session. A shard that another connection has is not taken from it: two
// bots would take it from each other forever.
func (c *conn) identify(d []byte) *refusal {
	i := identifyFrame{Shard: [2]int{0, 1}} // what a bot with one shard may leave out
	if err := json.Unmarshal(d, &i); err != nil {
		return refused(closeDecode, "IDENTIFY cannot be read: %v", err)
	}
	if !c.s.takes(i.Token) {
		return refused(closeToken, "The token is not this bot's.")
	}
	b := c.s.bridges[i.Shard[0]]
	if b == nil || i.Shard[1] != c.s.cfg.ShardCount {
		return refused(closeShard, "Shard %d of %d: this cluster has %s of %d.",
			i.Shard[0], i.Shard[1], list(c.s.Shards()), c.s.cfg.ShardCount)
	}
	had := c.bridged()
	var no *refusal
	c.s.with(b, func(sh *Shard, now time.Time) {
		switch {
		case had != nil && had != b, b.conn == c && sh.Begun():
			no = refused(closeTwice, "IDENTIFY came twice.")
		case b.conn != nil && b.conn != c:
			no = refused(closeResume, "Another connection has shard %d. Does the bot run twice?", b.id)
		default:
			if err := sh.Identify(now, d); err != nil {
				no = refused(closeIntents, "%s", err.Error())
				return
			}
			c.bind(b)
		}
	})
	return no
}

// list shows ids, "0, 1, 2".
func list(ids []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]")
}

// resume goes on with a local session, in place of the connection that had it.
func (c *conn) resume(d []byte) *refusal {
	if c.bridged() != nil {
		return refused(closeTwice, "RESUME came after IDENTIFY.")
	}
	var r resumeFrame
	if err := json.Unmarshal(d, &r); err != nil {
		return refused(closeDecode, "RESUME cannot be read: %v", err)
	}
	if !c.s.takes(r.Token) {
		return refused(closeToken, "The token is not this bot's.")
	}
	b := c.s.find(r.SessionID)
	if b == nil {
		return c.reply(fmt.Sprintf(`{"t":null,"s":null,"op":%d,"d":false}`, OpInvalidSession))
	}
	c.s.with(b, func(sh *Shard, now time.Time) {
		if old := b.conn; old != nil {
			old.end(closeResume, "The session was resumed by another connection.")
		}
		if sh.Resume(now, r.SessionID, r.Seq) {
			c.bind(b)
		}
	})
	if c.bridged() == nil {
		return c.reply(fmt.Sprintf(`{"t":null,"s":null,"op":%d,"d":false}`, OpInvalidSession))
	}
	return nil
}

// bind makes this the shard's connection. mu of b is held.
func (c *conn) bind(b *bridge) {
	b.conn = c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bridge = b
	if c.release == nil && c.out != nil {
		c.release = c.out.busy()
	}
}

// free lets the connection be closed for another one.
func (c *conn) free() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.release != nil {
		c.release()
	}
}
