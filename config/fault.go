package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// fault is one mistake in the configuration.
type fault struct {
	key   string
	value string // as shown to a person; "" where it is unknown or must stay hidden
	from  string // the file, the variable or the flag; "" for a default
	rule  string
}

func (f *fault) Error() string {
	var b strings.Builder
	b.WriteString(f.key)
	if f.value != "" {
		b.WriteString(" " + f.value)
	}
	if f.from != "" {
		b.WriteString(" (" + f.from + ")")
	}
	return b.String() + ": " + f.rule
}

const redacted = "[redacted]"

// shownMax is the limit of a value in an error, in bytes.
const shownMax = 80

// show returns a value as an error may show it: cut where it is long, without secrets and
// passwords.
func show(f field, v any) string {
	if f.secret() {
		if raw := reflect.ValueOf(v); raw.Type() == f.value.Type() && raw.IsZero() {
			return "not set"
		}
		return redacted
	}
	text, isText := v.(string)
	if !isText {
		text = fmt.Sprint(v)
	}
	if at := strings.LastIndex(text, "@"); at >= 0 { // a URL may hold a password
		scheme, _, found := strings.Cut(text[:at], "://")
		if found {
			scheme += "://"
		} else {
			scheme = ""
		}
		text = scheme + redacted + text[at:]
	}
	if len(text) > shownMax {
		text = strings.ToValidUTF8(text[:shownMax], "") + "…"
	}
	if isText {
		return fmt.Sprintf("%q", text)
	}
	return text
}

// unknown returns the fault of an unknown name, with the name that was probably meant. Its value is
// not shown: it may be that of a misspelt secret.
func unknown(name, from, what string, known []string) *fault {
	rule := "no such " + what
	if best := closest(name, known); best != "" {
		rule += "; did you mean " + best + "?"
	}
	return &fault{key: name, from: from, rule: rule}
}

// near is the maximum number of edits to a suggestion.
const near = 2

// closest returns the known name nearest to name, or "" where none is near. Case and the kind of
// separator are ignored.
func closest(name string, known []string) string {
	best, bestAt := "", near+1
	for _, k := range known {
		if d := distance(plain(name), plain(k)); d < bestAt {
			best, bestAt = k, d
		}
	}
	return best
}

// nearestMax is the number of suggestions where no name is near.
const nearestMax = 3

// nearest returns the names that were probably meant: the one that is near, or the nearest few.
func nearest(name string, known []string) []string {
	if best := closest(name, known); best != "" {
		return []string{best}
	}
	sorted := slices.Clone(known)
	slices.SortStableFunc(sorted, func(a, b string) int {
		return cmp.Compare(distance(plain(name), plain(a)), distance(plain(name), plain(b)))
	})
	return sorted[:min(len(sorted), nearestMax)]
}

// plain returns a name in lower case with one kind of separator.
func plain(name string) string {
	return strings.NewReplacer("__", "_", ".", "_", "-", "_", "/", "_").Replace(strings.ToLower(name))
}

// distance is the number of single-byte edits from a to b (Levenshtein). Names are cut at 100
// bytes.
func distance(a, b string) int {
	a, b = a[:min(len(a), 100)], b[:min(len(b), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left, above := i+1, row[0]
		row[0] = left
		for j := range len(b) {
			change := above
			if a[i] != b[j] {
				change++
			}
			above = row[j+1]
			row[j+1] = min(change, above+1, left+1)
			left = row[j+1]
		}
	}
	return row[len(b)]
}

// quoted matches what a YAML error cites of the file.
var quoted = regexp.MustCompile("`[^`]*`")

// withoutContent returns a parser's error without its citation: the file may hold a token.
func withoutContent(err error) error {
	return errors.New(strings.Join(strings.Fields(quoted.ReplaceAllString(err.Error(), "…")), " "))
}
