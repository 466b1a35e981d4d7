//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
)

const separator = 0x0C // ends a frame (PROTOCOL A1)

// eventID has the length of a snowflake, so that an answer can overwrite it in place.
const eventID = "14386338866709265695994074015643729926"

// conn is a socket that carries whole frames.
type conn struct {
	net.Conn
	in *bufio.Reader
}

func newConn(c net.Conn) *conn { return &conn{c, bufio.NewReaderSize(c, 64<<10)} }

// next returns the next frame with its separator. The bytes are valid until the next call.
func (c *conn) next() ([]byte, error) { return c.in.ReadSlice(separator) }

// packet returns a frame as on the socket.
func packet(format string, args ...any) []byte {
	return append([]byte(`{"type":"__DDOO__.MESSAGE","data":`+fmt.Sprintf(format, args...)+`}`), separator)
}

// eval returns a request to clusters. Its event_id comes first, as upstream writes it.
func eval(shards string) []byte {
	return packet(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"%s","script":"1","shards":%s,"context":{}}}`, eventID, shards)
}

// message returns a message of this many bytes to cluster 1.
func message(size int) []byte {
	frame := packet(`{"op":0,"t":"MESSAGE","d":{"event_id":"1","shards":[1],"message":""}}`)
	return bytes.Replace(frame, []byte(`""`), []byte(`"`+strings.Repeat("x", max(size-len(frame), 0))+`"`), 1)
}

// answerer answers evals with a prepared frame whose event_id it overwrites.
type answerer struct {
	frame []byte
	at    int
}

func newAnswerer(result string) answerer {
	frame := packet(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"%s","result":%s}}`, eventID, result)
	return answerer{frame, bytes.Index(frame, []byte(eventID))}
}

// to returns the answer to a request, valid until the next call; nil: the frame is no request.
func (a answerer) to(request []byte) []byte {
	if !bytes.Contains(request, []byte(`"script"`)) {
		return nil
	}
	from := bytes.Index(request, []byte(`"event_id":"`)) + len(`"event_id":"`)
	copy(a.frame[a.at:], request[from:from+len(eventID)])
	return a.frame
}

// textOf returns the text of a field, "" without it. No field here has escapes.
func textOf(frame []byte, field string) string {
	_, rest, _ := bytes.Cut(frame, []byte(`"`+field+`":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(text)
}

// list returns a list of numbers in JSON.
func list(numbers []int) string {
	return strings.ReplaceAll(fmt.Sprint(append([]int{}, numbers...)), " ", ",")
}

// isHello reports whether a frame is a HELLO, CONTROL's first packet and its probe.
func isHello(frame []byte) bool {
	return bytes.HasPrefix(frame, []byte(`{"type":"__DDOO__.MESSAGE","data":{"op":2`))
}
