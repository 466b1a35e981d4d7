//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// lost are differences that are a library's: it forgets by an event what it knows again after a new
// start, or the other way round.
var lost = []struct{ path, early, late, why string }{
	{`^\.guilds\.\d+\._channels\.\d+\.last_message_id$`, `^null$`, ``, "discord.py forgets it by a CHANNEL_UPDATE without it"},
	{`^\.guilds\.\d+\._threads\.\d+\.me($|\.)`, `^(null)?$`, ``, "discord.py does not learn of its member by THREAD_LIST_SYNC, and forgets it in the archive"},
	{`^\.guilds\.\d+\._threads\.\d+\.me($|\.)`, ``, `^(null)?$`, "discord.py keeps its member of a thread that it was removed from"},
}

// unlike returns the values that two caches do not agree on, by their paths.
func unlike(early, late []byte) string {
	if bytes.Equal(early, late) {
		return ""
	}
	a, b := values(early), values(late)
	paths := maps.Clone(a)
	maps.Copy(paths, b)
	var all []string
next:
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if a[path] == b[path] {
			continue
		}
		for _, l := range lost {
			if match(l.path, path) && match(l.early, a[path]) && match(l.late, b[path]) {
				continue next
			}
		}
		all = append(all, fmt.Sprintf("%s: early %s, late %s", path, or(a[path]), or(b[path])))
	}
	return strings.Join(all, "\n")
}

func match(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }

func or(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}

// values returns the values in a text of JSON by their paths.
func values(text []byte) map[string]string {
	all := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, of := range v {
				walk(path+"."+key, of)
			}
		default:
			b, _ := json.Marshal(v)
			all[path] = string(b)
		}
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return map[string]string{"": err.Error()}
	}
	walk("", v)
	return all
}

// shrinks limits how often a story that fails is tried again with fewer events.
const shrinks = 200

// shrunk returns what is wrong with a story, and the events without which it would not be.
func (c *clients) shrunk(s story, diff string, err error) string {
	first := func(diff string) string { line, _, _ := strings.Cut(diff, "\n"); return line }
	fails := func(s story) (string, bool) {
		d, e := c.differ(s)
		return d, err == nil && e == nil && first(d) == first(diff) || err != nil && e != nil
	}
	tries := 0
	for i := len(s.events) - 1; i >= 0 && tries < shrinks; i-- {
		if fewer, ok := s.without(i); ok {
			tries++
			if d, still := fails(fewer); still {
				s, diff = fewer, d
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d events, %d acknowledged, cut at %d, host died: %t, resumes at %d; intents: members %t, presences %t\n", len(s.events), s.acked, s.cut, s.host, s.resumes, s.members, s.presences)
	for i, e := range s.events {
		if i == s.cut {
			b.WriteString("--- cut\n")
		}
		fmt.Fprintf(&b, "%d %s %.600s\n", i+1, e.kind, e.d)
	}
	if err != nil {
		fmt.Fprintf(&b, "%v", err)
	}
	b.WriteString(diff)
	return b.String()
}
