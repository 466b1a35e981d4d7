// Package splice reads and rewrites JSON text without decoding it: a value stays the bytes it came
// as, so that unknown fields survive, and a value that is not looked at costs one pass.
//
// It expects valid JSON, which a gateway sends. Text that is none never causes a panic: iteration
// ends early, and a lookup finds nothing. Text of doubtful origin is checked by
// json.Valid first. Keys are compared as they are written; Discord's have no escapes.
package splice

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
)

// Fields yields the fields of an object in order, its keys without quotes. Both slices are parts of
// raw, and cannot be appended to in place.
func Fields(raw []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		i := space(raw, 0)
		if !at(raw, i, '{') {
			return
		}
		for i = space(raw, i+1); at(raw, i, '"'); i = space(raw, i+1) {
			k := text(raw, i)
			if k < 0 {
				return
			}
			key := raw[i+1 : k-1 : k-1]
			if i = space(raw, k); !at(raw, i, ':') {
				return
			}
			i = space(raw, i+1)
			v := end(raw, i)
			if v < 0 || !yield(key, raw[i:v:v]) {
				return
			}
			if i = space(raw, v); !at(raw, i, ',') {
				return
			}
		}
	}
}

// Items yields the elements of an array in order, as parts of raw.
func Items(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := space(raw, 0)
		if !at(raw, i, '[') {
			return
		}
		for i = space(raw, i+1); i < len(raw) && raw[i] != ']'; i = space(raw, i+1) {
			v := end(raw, i)
			if v < 0 || !yield(raw[i:v:v]) {
				return
			}
			if i = space(raw, v); !at(raw, i, ',') {
				return
			}
		}
	}
}

// Get returns the value under a path of keys, nil where there is none.
func Get(raw []byte, path ...string) []byte {
	for _, key := range path {
		raw = field(raw, key)
	}
	return raw
}

func field(raw []byte, key string) []byte {
	for k, v := range Fields(raw) {
		if string(k) == key {
			return v
		}
	}
	return nil
}

// ID returns the id that a value is, a string of digits; 0 for any other value. Discord has no id
// 0.
func ID(value []byte) uint64 {
	if len(value) < 2 || value[0] != '"' {
		return 0
	}
	id, err := strconv.ParseUint(string(value[1:len(value)-1]), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// Int returns the whole number that a value is; false for any other value.
func Int(value []byte) (n int64, ok bool) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil
}

// String returns the text that a value is; "" for any other value.
func String(value []byte) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// IsNull reports whether a value is null or missing.
func IsNull(value []byte) bool { return len(value) == 0 || string(value) == "null" }

// end returns the index behind the value that begins at i, below 0 where none does.
func end(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return text(b, i)
	case '{', '[':
		return nested(b, i)
	case '}', ']', ',', ':':
		return -1
	}
	for ; i < len(b); i++ { // a number or a word
		switch b[i] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return i
}

// nested returns the index behind the object or array that begins at i.
func nested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = text(b, i); i < 0 {
				return -1
			}
			i--
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// text returns the index behind the string that begins at i.
func text(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[min(i, len(b)):], '"')
		if n < 0 {
			return -1
		}
		i += n
		escapes := 0
		for b[i-1-escapes] == '\\' { // ends at the opening quote at the latest
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

func at(b []byte, i int, c byte) bool { return i < len(b) && b[i] == c }
