package admin

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// packFrom is the size in bytes from which a body is compressed. A smaller one fits into one
// packet.
const packFrom = 1 << 10

// show answers a read with a value as JSON. at is the time that the value has as its own "at": two
// answers that differ in it alone are one to a client. The zero time: it has none.
func show(w http.ResponseWriter, r *http.Request, value any, at time.Time) {
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(value); err != nil {
		answer(w, http.StatusOK, value) // which reports the error
		return
	}
	send(w, r, "application/json", text.Bytes(), timestamp(at))
}

// timestamp returns the field "at" as JSON has it, nothing for the zero time.
func timestamp(at time.Time) []byte {
	if at.IsZero() {
		return nil
	}
	return at.AppendFormat([]byte(`"at":"`), time.RFC3339Nano)
}

// send answers a read with a whole body. A client that has it already (If-None-Match, RFC 9110
// 13.1.2) gets 304 and no body. The body is compressed for a client that takes gzip, but not for
// one on the unix socket, where bytes cost nothing. but is a part of the body that makes no
// difference to whether a client has it, where it comes first; nil: there is none.
func send(w http.ResponseWriter, r *http.Request, kind string, body, but []byte) {
	tag := tagOf(body, but)
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Vary", "Accept-Encoding")
	if has(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", kind)
	if len(body) >= packFrom && !local(r) && takesGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = pack(body)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// tagOf returns the ETag of a body. It is a weak one: the same for the body as it is and
// compressed.
func tagOf(body, but []byte) string {
	before, after := body, []byte(nil)
	if len(but) > 0 {
		before, after, _ = bytes.Cut(body, but)
	}
	sum := sha256.New()
	sum.Write(before)
	sum.Write(after)
	return fmt.Sprintf(`W/"%.16x"`, sum.Sum(nil))
}

// has reports whether a header If-None-Match names a tag. Tags are compared weakly (RFC 9110
// 8.8.3.2).
func has(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// takesGzip reports whether a header Accept-Encoding names gzip, with any weight but 0 (RFC 9110
// 12.5.3).
func takesGzip(header string) bool {
	for one := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(one, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, weighed := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		value, err := strconv.ParseFloat(q, 64)
		return !weighed || err == nil && value > 0
	}
	return false
}

// pack returns a body compressed.
func pack(body []byte) []byte {
	out := bytes.NewBuffer(make([]byte, 0, len(body)/4))
	w, err := gzip.NewWriterLevel(out, gzip.StatelessCompression) // others keep a megabyte
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = w.Write(body) // into memory
	_ = w.Close()
	return out.Bytes()
}
