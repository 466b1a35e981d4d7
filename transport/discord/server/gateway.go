package server

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport/discord/pack"
	"github.com/discluster/control/transport/discord/rules"
)

// Waits of a gateway connection.
const (
	// for the socket to accept one frame; a slower client counts as gone
	writeWait = 10 * time.Second
	byeWait   = 2 * time.Second // for the client's answer to a close frame
)

// resumePath is the path of resume_gateway_url. It differs from that of /gateway/bot, so that a
// RESUME at the wrong address shows.
const resumePath = "/gateway"

// anySlashes serves an address of the gateway with any number of slashes before the query; h would
// redirect, which no websocket client follows.
func anySlashes(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := strings.TrimRight(r.URL.Path, "/"); path == "" || path == resumePath {
			r.URL.Path = cmp.Or(path, "/")
		}
		h.ServeHTTP(w, r)
	})
}

// apiVersions are the served versions of Discord's API, for gateway and REST. The server behaves
// the same in each of them.
var apiVersions = []int{9, 10}

// conn is one gateway connection: two delay lines, and the websocket between them and the client.
type conn struct {
	id       rules.Conn
	ws       *websocket.Conn
	in       *line[rules.Input]
	out      *line[rules.Output]
	encoder  Encoder
	packer   *pack.Packer
	resuming bool // it used resume_gateway_url
}

// upgrader accepts any origin: bots send none, and nothing here needs protection.
var upgrader = websocket.Upgrader{HandshakeTimeout: headerWait, CheckOrigin: func(*http.Request) bool { return true }}

// gateway serves one connection, from its handshake to its end.
func (s *Server) gateway(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		notFound(w, r)
		return
	}
	version, packer, code, reason := negotiate(r)
	if code != 0 {
		refuse(w, r, code, reason)
		return
	}
	c := &conn{
		id:       rules.Conn(s.next.Add(1)),
		encoder:  Encoder{Version: version, ResumeURL: gatewayURL(r) + resumePath, Shape: s.shape, Guilds: s.config.Guilds},
		packer:   packer,
		resuming: r.URL.Path != "/",
	}
	c.in, c.out = newLine[rules.Input](s, c.id, 0), newLine[rules.Output](s, c.id, 1)
	if !s.admit(c) {
		unavailable(w)
		return
	}
	defer s.handlers.Done()
	var err error
	if c.ws, err = upgrader.Upgrade(w, r, nil); err != nil { // the upgrader has answered
		s.input(rules.Closed{Conn: c.id, Code: rules.CloseVanished})
		return
	}
	arrived := make(chan struct{})
	go func() { defer close(arrived); s.arrivals(c) }()
	written := make(chan struct{})
	go func() { defer close(written); c.write() }()
	clientCode := c.read()
	<-arrived
	c.part(clientCode)
	<-written
}

// negotiate reads the address's version, encoding and compression. A close code above 0, and its
// reason, report what the server does not support.
func negotiate(r *http.Request) (version int, p *pack.Packer, code int, reason string) {
	q := r.URL.Query()
	version, _ = strconv.Atoi(q.Get("v"))
	if !slices.Contains(apiVersions, version) {
		return 0, nil, rules.CloseInvalidVersion, "Invalid API version. This gateway serves v=9 and v=10."
	}
	if e := q.Get("encoding"); e != "" && e != "json" {
		return 0, nil, websocket.CloseUnsupportedData, "This simulated gateway speaks encoding=json only."
	}
	p, err := pack.New(q.Get("compress"))
	if err != nil {
		return 0, nil, websocket.CloseUnsupportedData, err.Error()
	}
	return version, p, 0, ""
}

// refuse opens a websocket only to close it: a gateway client reads close codes, not HTTP.
func refuse(w http.ResponseWriter, r *http.Request, code int, reason string) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil { // the upgrader has answered
		return
	}
	defer func() { _ = ws.Close() }()
	bye(ws, code, reason)
	_, _, _ = ws.NextReader() // the client's answer, so that the close frame is not lost in a reset
}

// admit passes a connection to the rules; false during an outage, or at the end. True counts a
// handler, which the caller must end.
func (s *Server) admit(c *conn) bool {
	admitted := false
	now := time.Now()
	return s.ask(func() {
		s.conns[c.id] = c
		s.step(now, rules.Opened{Conn: c.id})
		if admitted = s.conns[c.id] != nil; admitted {
			// here, so that none is added once the owner has ended and Close waits
			s.handlers.Add(1)
		}
	}) && admitted
}

// read puts the client's frames into the line until the connection ends, and then its end; it
// returns the client's close code.
func (c *conn) read() int {
	defer c.in.end()
	// part answers, after the rules got the end
	c.ws.SetCloseHandler(func(int, string) error { return nil })
	for {
		_, r, err := c.ws.NextReader()
		var frame []byte
		if err == nil {
			frame, err = io.ReadAll(io.LimitReader(r, frameMax+1))
		}
		if err != nil {
			code := closeCode(err)
			c.in.put(rules.Closed{Conn: c.id, Code: code})
			return code
		}
		c.in.put(Decode(c.id, c.encoder.Shape, frame))
	}
}

// part closes the socket, after an answer to the client's close frame if there was one: a client
// that waits for it finds its session in the state that its code requires.
func (c *conn) part(code int) {
	if code != rules.CloseVanished {
		bye(c.ws, code, "") // the library refuses it where a close frame was sent already
	}
	_ = c.ws.Close()
}

// closeCode returns the client's close code, CloseVanished without one.
func closeCode(err error) int {
	var e *websocket.CloseError
	if errors.As(err, &e) {
		return e.Code
	}
	return rules.CloseVanished
}

// arrivals passes inputs to the owner at the moment they reach Discord.
func (s *Server) arrivals(c *conn) {
	c.in.each(func(at time.Time, in rules.Input) bool {
		_, resume := in.(rules.Resume)
		s.do(func() {
			if resume && !c.resuming {
				s.elsewhere++
			}
			s.step(at, in)
		})
		return true
	})
}

// write sends Discord's outputs. A line that overflows, or a client that does not read, breaks the
// connection; the reader then reports it to the owner.
func (c *conn) write() {
	whole := c.out.each(func(_ time.Time, o rules.Output) bool {
		end, ends := o.(rules.Close)
		switch {
		case !ends:
			return c.send(o) == nil
		case end.Code == rules.CloseVanished:
			return false
		}
		bye(c.ws, end.Code, end.Reason) // the reader waits for the client's answer
		return true                     // and nothing follows
	})
	if !whole {
		_ = c.ws.Close()
	}
}

// send writes one payload.
func (c *conn) send(o rules.Output) error {
	payload, err := c.encoder.Encode(o)
	if err != nil {
		return err
	}
	frame, err := c.packer.Pack(payload)
	if err != nil {
		return err
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeWait))
	return c.ws.WriteMessage(c.packer.Kind, frame)
}

// bye sends a close frame and waits a moment for the client's answer.
func bye(ws *websocket.Conn, code int, reason string) {
	_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(writeWait))
	// errors of both show at the next read; the reader is active, so not ws's own
	_ = ws.NetConn().SetReadDeadline(time.Now().Add(byeWait))
}
