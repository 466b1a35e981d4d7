// Package transcript plays events to a decider in simulated time and keeps what follows as a text:
// an event a line, its effects indented under it. The text is compared with a file of testdata.
package transcript

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

// Transcript is a story so far.
type Transcript struct {
	t          *testing.T
	began, now time.Time
	timers     []timer
	pending    []func()
	text       strings.Builder
}

type timer struct {
	at    time.Time
	event any
}

// New begins a transcript at a fixed time.
func New(t *testing.T) *Transcript {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &Transcript{t: t, began: began, now: began}
}

// Now returns the time of the story.
func (s *Transcript) Now() time.Time { return s.now }

// Since returns how long after the story's beginning a moment is.
func (s *Transcript) Since(at time.Time) time.Duration { return at.Sub(s.began) }

// Event writes an event down, at the current time.
func (s *Transcript) Event(text string) { fmt.Fprintf(&s.text, "%-6s %s\n", s.now.Sub(s.began), text) }

// Effect writes an effect of the last event down; "" writes nothing.
func (s *Transcript) Effect(text string) {
	if text != "" {
		fmt.Fprintf(&s.text, "         %s\n", text)
	}
}

// State writes the state down that the last event led to.
func (s *Transcript) State(name string) { s.Effect("── " + name) }

// After keeps an event for Skip to bring back once a time has passed.
func (s *Transcript) After(d time.Duration, event any) {
	s.timers = append(s.timers, timer{s.now.Add(d), event})
}

// Later has f run when the current event is over, after all that was asked for before.
func (s *Transcript) Later(f func()) { s.pending = append(s.pending, f) }

// Settle runs what Later has collected, until there is nothing left.
func (s *Transcript) Settle() {
	for len(s.pending) > 0 {
		next := s.pending[0]
		s.pending = s.pending[1:]
		next()
	}
}

// Skip lets time pass, and hands over the events that are due in it, in order.
func (s *Transcript) Skip(d time.Duration, due func(event any)) {
	for end := s.now.Add(d); ; {
		slices.SortStableFunc(s.timers, func(a, b timer) int { return a.at.Compare(b.at) })
		if len(s.timers) == 0 || s.timers[0].at.After(end) {
			s.now = end
			return
		}
		next := s.timers[0]
		s.timers = s.timers[1:]
		if next.at.After(s.now) {
			s.now = next.at
		}
		due(next.event)
	}
}

// Sleep lets time pass while the decider is suspended: its timers come late.
func (s *Transcript) Sleep(d time.Duration) { s.now = s.now.Add(d) }

// Restart forgets the text so far and begins the story now; given is where it begins.
func (s *Transcript) Restart(given string) {
	s.text.Reset()
	s.began = s.now
	fmt.Fprintf(&s.text, "given: %s\n", given)
}

// Check compares the text with the file of testdata that is named as the subtest; with the flag
// -update it rewrites the file.
func (s *Transcript) Check() {
	s.t.Helper()
	_, name, _ := strings.Cut(s.t.Name(), "/")
	file := filepath.Join("testdata", strings.ReplaceAll(name, "_", "-")+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(s.text.String()), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	got, want := strings.Split(s.text.String(), "\n"), strings.Split(string(data), "\n")
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got) || i >= len(want):
			s.t.Fatalf("%s: %d lines, want %d; -update rewrites it", file, len(got), len(want))
		case got[i] != want[i]:
			s.t.Fatalf("%s, line %d; -update rewrites it\n got %s\nwant %s", file, i+1, got[i], want[i])
		}
	}
}
