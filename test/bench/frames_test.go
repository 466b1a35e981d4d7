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

// eventID is as long as snowflakes are, so that an answer can be written over in place.
const eventID = "14386338866709265695994074015643729926"

// conn is a socket that whole frames go over.
type conn struct {
	net.Conn
	in *bufio.Reader
}

func newConn(c net.Conn) *conn { return &conn{c, bufio.NewReaderSize(c, 64<<10)} }

// next returns the next frame, its separator included, in bytes that are good until it is called
// again.
func (c *conn) next() ([]byte, error) { return c.in.ReadSlice(separator) }

// packet is a frame as it is on the socket.
func packet(format string, args ...any) []byte {
	return append([]byte(`{"type":"__DDOO__.MESSAGE","data":`+fmt.Sprintf(format, args...)+`}`), separator)
}

// eval is a request to clusters. Its event_id comes first, as upstream writes it.
func eval(shards string) []byte {
	return packet(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"%s","script":"1","shards":%s,"context":{}}}`, eventID, shards)
}

// message is one of this many bytes to cluster 1.
func message(size int) []byte {
	frame := packet(`{"op":0,"t":"MESSAGE","d":{"event_id":"1","shards":[1],"message":""}}`)
	return bytes.Replace(frame, []byte(`""`), []byte(`"`+strings.Repeat("x", max(size-len(frame), 0))+`"`), 1)
}

// answerer answers evals: an answer whose event_id is written over.
type answerer struct {
	frame []byte
	at    int
}

func newAnswerer(result string) answerer {
	frame := packet(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"%s","result":%s}}`, eventID, result)
	return answerer{frame, bytes.Index(frame, []byte(eventID))}
}

// to returns the answer to a request, good until it is called again; nil: the frame asks nothing.
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

// list is a list of numbers in JSON.
func list(numbers []int) string {
	return strings.ReplaceAll(fmt.Sprint(append([]int{}, numbers...)), " ", ",")
}

// isHello reports whether a frame is a HELLO: CONTROL's first word, and its probe.
func isHello(frame []byte) bool {
	return bytes.HasPrefix(frame, []byte(`{"type":"__DDOO__.MESSAGE","data":{"op":2`))
}
