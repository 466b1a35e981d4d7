package plan

import (
	"bytes"
	"encoding/base64"
	"iter"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/discluster/control/messages"
)

// redacted replaces every secret in a text.
const redacted = "[redacted]"

// SecretMin is the length in bytes from which on a secret is redacted. A shorter one occurs in
// ordinary words: hiding these would hide the log, and point at the secret.
const SecretMin = 8

// Secrets are texts that must not be passed on. A Secrets is never changed, only replaced by With;
// the zero value recognises tokens of Discord.
type Secrets struct{ all []known }

// known is one secret, plain and folded.
type known struct{ plain, folded string }

// With returns the set with a secret added. One that is shorter than SecretMin changes nothing.
func (s Secrets) With(secret messages.Secret) Secrets {
	k := known{secret.Reveal(), string(fold(secret.Reveal(), false).text)}
	if len(k.folded) < SecretMin || slices.Contains(s.all, k) {
		return s
	}
	return Secrets{append(slices.Clone(s.all), k)}
}

// Text returns a text with every secret in it replaced by redacted. A secret is found however its
// characters are written: broken over lines, by white space, control sequences of terminals or
// characters without a width, with escapes of JSON, at any depth, or of a URL. What looks like a
// bot's token is one: after its own restart CONTROL serves bots whose token MASTER has not sent. Of
// a known secret its first or last half is found anywhere, and a shorter piece where a text was
// cut: at its beginning and end, and beside an ellipsis or a quotation mark.
func (s Secrets) Text(text string) string { return s.After("", text) }

// After is Text for a text that follows another one: what began before it is found in it.
func (s Secrets) After(before, text string) string {
	start := len(before)
	text = before + text
	if len(text) < SecretMin/2 {
		return text[start:]
	}
	f := fold(text, false)
	spans := s.find(nil, f)
	for _, secret := range s.all {
		// the text before it may make another escape of its beginning
		for at := range each([]byte(text), secret.plain) {
			spans = append(spans, span{int32(at), int32(at + len(secret.plain))})
		}
	}
	if f.commands {
		spans = s.find(spans, fold(text, true))
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.from - b.from) })
	var b strings.Builder
	end := int32(start)
	for _, one := range spans {
		if one.to <= end {
			continue
		}
		if one.from >= end {
			b.WriteString(text[end:one.from])
		}
		if one.from >= end || end == int32(start) {
			b.WriteString(redacted)
		}
		end = one.to
	}
	if end == int32(start) {
		return text[start:]
	}
	b.WriteString(text[end:])
	return b.String()
}

// find adds to spans where secrets lie in a folded text.
func (s Secrets) find(spans []span, f folded) []span {
	spans = f.tokens(spans)
	for _, secret := range s.all {
		spans = f.find(spans, secret.folded)
	}
	return spans
}

// Event returns an event with every text in it redacted. What the event shares with others stays
// unchanged.
func (s Secrets) Event(e messages.Event) messages.Event {
	clean := reflect.New(reflect.TypeOf(e)).Elem()
	clean.Set(reflect.ValueOf(e))
	if !s.value(clean) {
		return e
	}
	return clean.Interface().(messages.Event)
}

// value redacts the texts of a value that can be set, and reports whether there was a secret. Lists
// and what pointers lead to are replaced, never changed.
func (s Secrets) value(v reflect.Value) (changed bool) {
	switch v.Kind() {
	case reflect.String:
		if clean := s.Text(v.String()); clean != v.String() {
			v.SetString(clean)
			return true
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && s.value(v.Field(i)) {
				changed = true
			}
		}
	case reflect.Pointer:
		if v.IsNil() {
			return false
		}
		clean := reflect.New(v.Type().Elem())
		clean.Elem().Set(v.Elem())
		if changed = s.value(clean.Elem()); changed {
			v.Set(clean)
		}
	case reflect.Slice:
		if kind := v.Type().Elem().Kind(); kind != reflect.String && kind != reflect.Struct && kind != reflect.Pointer {
			return false
		}
		clean := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(clean, v)
		for i := range clean.Len() {
			changed = s.value(clean.Index(i)) || changed
		}
		if changed {
			v.Set(clean)
		}
	}
	return changed
}

// folded is a text without what may lie between or replace the characters of a secret, and the
// origin of each of its bytes.
type folded struct {
	text     []byte
	spans    []span
	commands bool // there are commands to a terminal in it

	obey    bool // a terminal's commands are carried out
	command byte // the command that is not complete: escape, or '[' after it; 0: none
}

// span is a piece of the text that was folded.
type span struct{ from, to int32 }

// The characters that command a terminal to take the last character back, and to take those that
// follow as a command (ECMA-48).
const (
	backspace = 0x08
	escape    = 0x1b
)

// fold drops white space, backslashes and what has no width, and undoes escapes of JSON and URLs. A
// secret is folded in the same way, so that it is found as it is written, too. With obey it also
// does what a terminal does: the parameters of a command vanish, and what a backspace takes back.
func fold(s string, obey bool) folded {
	f := folded{text: make([]byte, 0, len(s)), spans: make([]span, 0, len(s)), obey: obey}
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '%':
			i = f.percent(s, i)
		case c == '\\':
			i = f.backslashes(s, i)
		case c < utf8.RuneSelf:
			f.ascii(c, i, i+1)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if !invisible(r) {
				for range n {
					f.add(s[i], i, i+1)
					i++
				}
				continue
			}
			i += n
		}
	}
	return f
}

// invisible reports whether a character takes no room, or is white space.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Mn, unicode.Me, unicode.Z)
}

func (f *folded) add(b byte, from, to int) {
	f.text, f.spans = append(f.text, b), append(f.spans, span{int32(from), int32(to)})
}

// ascii adds a character, unless it is white space, a command or a part of one.
func (f *folded) ascii(c byte, from, to int) {
	switch {
	case c == escape:
		f.commands, f.command = true, escape
	case c == backspace:
		f.commands = true
		if f.obey && len(f.text) > 0 {
			f.text, f.spans = f.text[:len(f.text)-1], f.spans[:len(f.spans)-1]
		}
	case f.obey && f.command != 0 && f.commanded(c):
	case c > ' ' && c != 0x7f:
		f.add(c, from, to)
	}
}

// commanded reports whether a character belongs to the command that is not complete.
func (f *folded) commanded(c byte) bool {
	before := f.command
	f.command = 0
	switch {
	case before == escape && c == '[':
		f.command = '['
	case ' ' <= c && c <= '/', before == '[' && '0' <= c && c <= '?':
		f.command = before // an intermediate or a parameter: its end follows
	default:
		return '0' <= c && c <= '~'
	}
	return true
}

// backslashes adds the character of the escape whose backslashes begin at i, or none, and returns
// where the text goes on.
func (f *folded) backslashes(s string, from int) (next int) {
	at := from
	for at < len(s) && s[at] == '\\' {
		at++
	}
	if at == len(s) {
		return at
	}
	digits := 0
	switch s[at] {
	case 'n', 'r', 't', 'f', 'v':
		return at + 1
	case 'b':
		f.ascii(backspace, from, at+1)
		return at + 1
	case 'u':
		digits = 4
	case 'x':
		digits = 2
	}
	r, ok := hex(s, at+1, digits)
	if digits == 0 || !ok {
		return at
	}
	next = at + 1 + digits
	switch {
	case r < utf8.RuneSelf:
		f.ascii(byte(r), from, next)
	case !invisible(rune(r)):
		for _, b := range utf8.AppendRune(nil, rune(r)) {
			f.add(b, from, next)
		}
	}
	return next
}

// percent adds the byte of an escape of URLs at i, or the percent sign, and returns where the text
// goes on.
func (f *folded) percent(s string, i int) (next int) {
	n, ok := hex(s, i+1, 2)
	switch {
	case !ok:
		f.add('%', i, i+1)
		return i + 1
	case n < utf8.RuneSelf:
		f.ascii(byte(n), i, i+3)
	default:
		f.add(byte(n), i, i+3)
	}
	return i + 3
}

// hex reads a number of digits hexadecimal digits.
func hex(s string, at, digits int) (n int, ok bool) {
	if at+digits > len(s) {
		return 0, false
	}
	for _, c := range []byte(strings.ToLower(s[at : at+digits])) {
		d := strings.IndexByte("0123456789abcdef", c)
		if d < 0 {
			return 0, false
		}
		n = n<<4 | d
	}
	return n, true
}

// find adds to spans where a folded secret, its half, or at a cut a piece of it, lies.
func (f folded) find(spans []span, secret string) []span {
	least := min(len(secret)/2, SecretMin)
	head, last := secret[:least], secret[len(secret)-least:]
	much := min(len(secret), max(2*SecretMin, len(secret)/2))
	for at := range each(f.text, head) {
		n := least
		for n < len(secret) && at+n < len(f.text) && f.text[at+n] == secret[n] {
			n++
		}
		if rest := f.text[at+n:]; n >= much || len(rest) == 0 || rest[0] == '"' || bytes.HasPrefix(rest, ellipsis) {
			spans = append(spans, span{f.spans[at].from, f.spans[at+n-1].to})
		}
	}
	for at := range each(f.text, last) {
		end, n := at+least, least
		for n < len(secret) && n < end && f.text[end-n-1] == secret[len(secret)-n-1] {
			n++
		}
		if before := f.text[:end-n]; n < len(secret) && (n >= much || len(before) == 0 || before[len(before)-1] == '"' || bytes.HasSuffix(before, ellipsis)) {
			spans = append(spans, span{f.spans[end-n].from, f.spans[end-1].to})
		}
	}
	return spans
}

// ellipsis marks where a text was cut.
var ellipsis = []byte("…")

// each yields the offsets of a piece in a text.
func each(text []byte, piece string) iter.Seq[int] {
	return func(yield func(int) bool) {
		for at := 0; ; at++ {
			i := bytes.Index(text[at:], []byte(piece))
			if at += i; i < 0 || !yield(at) {
				return
			}
		}
	}
}

// A token of Discord is three texts of base64 with dots between them: the decimal digits of the
// bot's id, a time, and a signature.
const (
	idLeast, idMost     = 23, 28
	timeLeast, timeMost = 6, 7
	signLeast, signMost = 27, 38
)

// tokens adds to spans what looks like a token of Discord.
func (f folded) tokens(spans []span) []span {
	for dot := range each(f.text, ".") {
		id := f.text[max(0, dot-idMost):dot]
		for len(id) >= idLeast && !isID(id) {
			id = id[1:]
		}
		second := bytes.IndexByte(f.text[dot+1:min(len(f.text), dot+timeMost+2)], '.')
		if len(id) < idLeast || second < timeLeast {
			continue
		}
		sign := dot + second + 2
		end := sign
		for end < len(f.text) && end < sign+signMost && base64Byte(f.text[end]) {
			end++
		}
		if end-sign >= signLeast || end == len(f.text) { // it may be cut there
			spans = append(spans, span{f.spans[dot-len(id)].from, f.spans[end-1].to})
		}
	}
	return spans
}

// isID reports whether a text is decimal digits in base64.
func isID(text []byte) bool {
	digits, err := base64.RawStdEncoding.AppendDecode(make([]byte, 0, idMost), text)
	return err == nil && !slices.ContainsFunc(digits, func(b byte) bool { return b < '0' || b > '9' })
}

func base64Byte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_'
}
