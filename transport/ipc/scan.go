package ipc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// span is a part of a frame; the zero span is absent, since no value starts at byte 0.
type span struct{ from, to int }

func (s span) there() bool { return s.to > 0 }

// of returns the bytes of the span; nil if absent.
func (s span) of(frame []byte) []byte {
	if !s.there() {
		return nil
	}
	return frame[s.from:s.to:s.to]
}

// outline is the position of each value in a frame: found by one pass over it, nothing decoded.
type outline struct {
	kind, data, op, t, d span
	fields               [fieldsN]span // of d, where d is an object
}

// scan fills an outline of a frame. It is as strict as encoding/json, and beyond that refuses a
// duplicate of a key that it reads: two readers could disagree on the value. It reads only the
// levels of the envelope, of "data" and of "data.d"; the users' data below has no meaning here.
func scan(frame []byte, g *outline) error {
	controls, ascii := control(frame)
	if !ascii && !utf8.Valid(frame) { // encoding/json would silently put U+FFFD there
		return errors.New("invalid UTF-8")
	}
	s := scanner{b: frame, controls: controls}
	for more := s.enter('{', '}'); more; more = s.more('}') {
		switch string(s.key()) {
		case "type":
			s.take(&g.kind, 1)
		case "data":
			s.packet(g)
		default:
			s.skip(1)
		}
	}
	s.space()
	if s.err == nil && s.i < len(s.b) {
		s.fail("data after the frame's end")
	}
	return s.err
}

// packet reads the value of "data".
func (s *scanner) packet(g *outline) {
	if g.data.there() {
		s.fail("duplicate key")
	}
	g.data.from = s.i
	for more := s.enter('{', '}'); more; more = s.more('}') {
		switch string(s.key()) {
		case "op":
			s.take(&g.op, 2)
		case "t":
			s.take(&g.t, 2)
		case "d":
			s.fields(g)
		default:
			s.skip(2)
		}
	}
	g.data.to = s.i
}

// fields reads the value of "d", which may be anything.
func (s *scanner) fields(g *outline) {
	s.space()
	if s.i == len(s.b) || s.b[s.i] != '{' {
		s.take(&g.d, 2)
		return
	}
	if g.d.there() {
		s.fail("duplicate key")
	}
	g.d.from = s.i
	for more := s.enter('{', '}'); more; more = s.more('}') {
		if f, ok := fieldOf(s.key()); ok {
			s.take(&g.fields[f], 3)
		} else {
			s.skip(3)
		}
	}
	g.d.to = s.i
}

// nestMax is the maximum nesting: encoding/json's own limit.
const nestMax = 10_000

// scanner passes over a JSON text once. It stops at its first error.
type scanner struct {
	b   []byte
	i   int
	err error
	// the text has a control character, which is valid as white space, but not in a string
	controls bool
}

func (s *scanner) fail(what string) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: %s", s.i, what)
	}
}

// space skips white space.
func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\t' || s.b[s.i] == '\r') {
		s.i++
	}
}

// at skips white space and the byte c, if that comes next.
func (s *scanner) at(c byte) bool {
	s.space()
	if s.err != nil || s.i == len(s.b) || s.b[s.i] != c {
		return false
	}
	s.i++
	return true
}

// enter starts an object or a list, and reports whether it has an element.
func (s *scanner) enter(open, end byte) bool {
	if !s.at(open) {
		s.fail("want " + string(open))
		return false
	}
	return !s.at(end) && s.err == nil
}

// more continues after an element, and reports whether another one follows.
func (s *scanner) more(end byte) bool {
	switch {
	case s.err != nil || s.at(end):
		return false
	case s.at(','):
		return true
	}
	s.fail("want , or " + string(end))
	return false
}

// key reads a key and its colon.
func (s *scanner) key() []byte {
	s.space()
	from := s.i
	plain := s.text()
	raw := s.b[from:s.i]
	if !s.at(':') {
		s.fail("want a key and a colon")
		return nil
	}
	if plain {
		return raw[1 : len(raw)-1]
	}
	var key string
	if err := json.Unmarshal(raw, &key); err != nil { // "\u0074ype" is the key type, too
		s.fail(err.Error())
	}
	return []byte(key)
}

// take skips a value and stores its span.
func (s *scanner) take(into *span, depth int) {
	s.space()
	from := s.i
	if into.there() {
		s.fail("duplicate key")
	}
	s.skip(depth)
	if s.err == nil {
		*into = span{from, s.i}
	}
}

// skip skips a value at a nesting depth.
func (s *scanner) skip(depth int) {
	s.space()
	if s.err != nil {
		return
	}
	if s.i == len(s.b) {
		s.fail("want a value")
		return
	}
	switch c := s.b[s.i]; {
	case c == '"':
		s.text()
	case depth == nestMax && (c == '{' || c == '['):
		s.fail("nested too deep")
	case c == '{':
		for more := s.enter('{', '}'); more; more = s.more('}') {
			s.key()
			s.skip(depth + 1)
		}
	case c == '[':
		for more := s.enter('[', ']'); more; more = s.more(']') {
			s.skip(depth + 1)
		}
	case c == '-' || '0' <= c && c <= '9':
		s.number()
	default:
		for _, word := range []string{"true", "false", "null"} {
			if bytes.HasPrefix(s.b[s.i:], []byte(word)) {
				s.i += len(word)
				return
			}
		}
		s.fail("want a value")
	}
}

// number skips a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() {
	s.one("-")
	if !s.one("0") {
		s.digits()
	}
	if s.one(".") {
		s.digits()
	}
	if s.one("eE") {
		s.one("+-")
		s.digits()
	}
}

// one skips one byte of a set, if that comes next.
func (s *scanner) one(of string) bool {
	if s.i == len(s.b) || strings.IndexByte(of, s.b[s.i]) < 0 {
		return false
	}
	s.i++
	return true
}

func (s *scanner) digits() {
	from := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	if s.i == from {
		s.fail("want a digit")
	}
}

// shortText is the length up to which a string is read byte by byte: a vectorised search takes
// longer to start.
const shortText = 24

// text skips a string, and reports whether it has no escapes.
func (s *scanner) text() (plain bool) {
	if s.err != nil || s.i == len(s.b) || s.b[s.i] != '"' {
		s.fail("want a string")
		return false
	}
	s.i++
	for i, c := range s.b[s.i:min(s.i+shortText, len(s.b))] {
		if c == '"' {
			s.i += i + 1
			return true
		}
		if c == '\\' || c < ' ' {
			break
		}
	}
	plain = true
	for quote := -1; s.err == nil; s.escape() {
		if quote < s.i { // none was found so far, or it was escaped
			n := bytes.IndexByte(s.b[s.i:], '"')
			if n < 0 {
				s.fail("a string without end")
				return false
			}
			quote = s.i + n
		}
		upTo := quote
		n := bytes.IndexByte(s.b[s.i:quote], '\\')
		if n >= 0 {
			upTo = s.i + n
		}
		if s.controls && controlIn(s.b[s.i:upTo]) {
			s.fail("a control character in a string")
			return false
		}
		if s.i = upTo; n < 0 {
			s.i++
			return plain
		}
		plain = false
	}
	return false
}

// control reports whether a text has a control character, and whether it is ASCII. It reads 32
// bytes at a time: of eight in a word, the lowest one below a space borrows from its own top bit,
// which otherwise belongs to a byte beyond ASCII.
func control(text []byte) (some, ascii bool) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	var below, beyond uint64
	for len(text) >= 32 {
		a, b := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[8:])
		c, d := binary.LittleEndian.Uint64(text[16:]), binary.LittleEndian.Uint64(text[24:])
		below |= (a-' '*ones)&^a | (b-' '*ones)&^b | (c-' '*ones)&^c | (d-' '*ones)&^d
		beyond |= a | b | c | d
		text = text[32:]
	}
	for _, c := range text {
		if c < ' ' {
			below = tops
		}
		beyond |= uint64(c)
	}
	return below&tops != 0, beyond&tops == 0
}

// controlIn reports whether a text has a control character.
func controlIn(text []byte) bool {
	some, _ := control(text)
	return some
}

// escape skips an escape: \n and its like, or \u and four hex digits.
func (s *scanner) escape() {
	s.i++
	if s.one("u") {
		for range 4 {
			if !s.one("0123456789abcdefABCDEF") {
				s.fail("want a hex digit")
				return
			}
		}
	} else if !s.one(`"\/bfnrt`) {
		s.fail("no such escape")
	}
}
