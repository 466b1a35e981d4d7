package world

import (
	"sync/atomic"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// Secrets holds every secret that this process knows, and redacts them in what it passes on. It may
// be used from anywhere; nil redacts nothing.
//
// All that leaves a process passes one of three places: the event bus of CONTROL (events.Bus) or of
// MASTER (Fleet), before any subscriber; the writer of the log; and where bots' output is shown.
// What MasterLink reports to MASTER and what MASTER answers an operator with are texts of events,
// or pass Text. Messages between bots are not redacted.
type Secrets struct{ known atomic.Pointer[plan.Secrets] }

// Learn adds secrets. Those that are empty, too short (plan.SecretMin) or known already change
// nothing.
func (s *Secrets) Learn(all ...messages.Secret) {
	if s == nil {
		return
	}
	for _, secret := range all {
		for {
			before := s.known.Load()
			now := s.now().With(secret)
			if s.known.CompareAndSwap(before, &now) {
				break
			}
		}
	}
}

// Text returns a text without the secrets.
func (s *Secrets) Text(text string) string {
	if s == nil {
		return text
	}
	return s.now().Text(text)
}

// After returns a text that follows another one, without the secrets, those that began before it
// included.
func (s *Secrets) After(before, text string) string {
	if s == nil {
		return text
	}
	return s.now().After(before, text)
}

// Event returns an event without the secrets.
func (s *Secrets) Event(e messages.Event) messages.Event {
	if s == nil {
		return e
	}
	return s.now().Event(e)
}

// now returns what is known.
func (s *Secrets) now() plan.Secrets {
	if known := s.known.Load(); known != nil {
		return *known
	}
	return plan.Secrets{}
}
