package link

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/transcript"
)

// A scene plays events to a Link. Its clusters serve what they are ordered to, and its disk works
// at once.
type scene struct {
	*transcript.Transcript
	t          *testing.T
	link       *Link
	disk       *Memory
	number     int // of the open link
	status     messages.MachineStatus
	unreadable int  // times that the disk fails
	stuck      bool // its clusters do not end
}

// utc are clocks that were never set.
type utc struct{}

func (utc) FromWall(at messages.UnixMillis) time.Time   { return time.UnixMilli(int64(at)) }
func (utc) FromSteady(at messages.UnixMillis) time.Time { return time.UnixMilli(int64(at)) }
func (utc) SteadyAhead() time.Duration                  { return 0 }

// play begins a scene with the previous run's memory; nil: none.
func play(t *testing.T, disk *Memory, change ...func(*scene)) *scene {
	s := &scene{Transcript: transcript.New(t), t: t, disk: disk}
	s.link = New(Options{URL: "ws://master", Heartbeat: 5 * time.Second, Clocks: utc{}, Rand: func() float64 { return 0.5 }, Redact: func(text string) string { return text }})
	for _, f := range change {
		f(s)
	}
	s.do("CONTROL starts", Started{})
	return s
}

// do plays an event, and all that follows from it here.
func (s *scene) do(text string, e any) {
	s.play(text, e)
	s.Settle()
}

func (s *scene) play(text string, e any) {
	before := s.link.State()
	s.Event(text)
	for _, effect := range s.link.Step(e, s.Now()) {
		s.Effect(s.line(effect))
		s.react(effect)
	}
	if after := s.link.State(); after != before {
		s.State(string(after))
	}
}

// skip lets time pass, with the timers that are due in it.
func (s *scene) skip(d time.Duration) {
	s.Skip(d, func(event any) {
		if name := s.due(event); name != "" {
			s.do("timer: "+name, event)
			return
		}
		for _, effect := range s.link.Step(event, s.Now()) {
			s.react(effect)
		}
	})
}

// due names a timer; "": it is stale, or only looks whether the lease is over.
func (s *scene) due(e any) string {
	switch e := e.(type) {
	case Timeout:
		if s.link.expired(e) {
			return "the wait is over"
		}
	case beatDue:
		if e.number == s.link.beat && s.link.up() {
			return "a heartbeat"
		}
	case leaseDue:
		if e.until.Equal(s.link.lease.until) && !s.Now().Before(e.until) {
			return "the end of the lease"
		}
	}
	return ""
}

// react plays the machine's reaction to an effect.
func (s *scene) react(effect Effect) {
	later := func(text string, e any) { s.Later(func() { s.play(text, e) }) }
	switch e := effect.(type) {
	case After:
		s.After(e.For, e.Event)
	case Load:
		if s.unreadable > 0 {
			s.unreadable--
			later("disk: link.json cannot be read", Loaded{Err: errors.New("input/output error")})
			return
		}
		later("disk: "+map[bool]string{true: "nothing", false: "what the previous run left"}[s.disk == nil], Loaded{Memory: s.disk})
	case Save:
		m := e.Memory
		s.disk = &m
	case Dial:
		s.number = e.Link
	case Deliver:
		s.obey(e, later)
	}
}

// obey plays the other actors.
func (s *scene) obey(e Deliver, later func(string, any)) {
	report := func(text string) {
		status := s.status
		status.Ranges = slices.Clone(status.Ranges)
		later(text, status)
	}
	switch m := e.Message.(type) {
	case messages.Serve:
		if !slices.ContainsFunc(s.status.Ranges, func(r messages.RangeInfo) bool { return r.Range == m.Range }) {
			s.status.Ranges = append(s.status.Ranges, messages.RangeInfo{Range: m.Range, State: messages.RangeConnecting, Epoch: s.link.settings.Epoch})
			report("clusters: " + m.Range.String() + " starts")
		}
	case messages.TakeBack:
		s.status.Ranges = m.Ranges
	case messages.HandSessionsOver:
		later("sessions: handed over", messages.SessionsHandedOver{ID: m.ID, Range: m.Range, Sessions: []messages.Session{{Shard: m.Range.First, SessionID: "s"}}})
	case messages.ReportSessions:
		if m.On {
			later("sessions: all were sent", messages.SessionsReported{})
		}
	case messages.LinkUp:
		later("gate: when the buckets were used", messages.PaceHandedOver{Last: map[int]time.Time{}})
	case messages.StopAll:
		if s.stuck {
			return
		}
		s.status.Ranges = nil
		report("clusters: nothing is served")
		later("clusters: all stopped", messages.AllStopped{})
	}
}

// up opens the link and has MASTER greet it.
func (s *scene) up(change ...func(*messages.Initialise)) {
	s.open()
	s.greet(change...)
}

func (s *scene) open() { s.do("the link opens", Opened{Link: s.number}) }

func (s *scene) greet(change ...func(*messages.Initialise)) {
	i := messages.Initialise{Token: "t0ken", ShardCount: new(16), MaxConcurrency: new(1), ShardsPerCluster: new(4), Epoch: 1000, HeartbeatInterval: new(messages.Millis(5 * time.Second)),
		Features: []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeatureSessions, messages.FeatureOrders, messages.FeatureConfirm, messages.FeaturePermits}}
	for _, f := range change {
		f(&i)
	}
	text := fmt.Sprintf("MASTER: initialise, epoch %d", i.Epoch)
	if i.LeaseMS != nil {
		text += fmt.Sprintf(", lease %v", i.LeaseMS.Duration())
	}
	s.came(text, i)
}

func (s *scene) came(text string, p messages.FromMaster) { s.do(text, Came{s.number, p}) }

func (s *scene) connect(id string, first, last int) {
	r := messages.ShardRange{First: first, Last: last}
	s.came(fmt.Sprintf("MASTER: serve %s (order %s)", r, id), messages.Connect{ID: id, Range: &r})
}

func (s *scene) offload(id string, first, last int) {
	r := messages.ShardRange{First: first, Last: last}
	s.came(fmt.Sprintf("MASTER: let go of %s (order %s)", r, id), messages.Offload{ID: id, Range: r})
}

// ready makes everything that is served operational.
func (s *scene) ready() {
	for i := range s.status.Ranges {
		s.status.Ranges[i].State = messages.RangeOperational
	}
	status := s.status
	status.Ranges = slices.Clone(status.Ranges)
	s.do("clusters: all READY", status)
}

// released ends an offload in the clusters.
func (s *scene) released(id string, first, last int) {
	r := messages.ShardRange{First: first, Last: last}
	s.status.Ranges = slices.DeleteFunc(slices.Clone(s.status.Ranges), func(i messages.RangeInfo) bool { return i.Range.Overlaps(r) })
	s.do("clusters: "+r.String()+" stopped", messages.MachineStatus{Ranges: s.status.Ranges})
	s.do("clusters: "+r.String()+" is released", messages.Released{ID: id, Range: r})
}

func (s *scene) lose() { s.do("the link is lost", Ended{Link: s.number, Err: errors.New("reset")}) }

// line returns an effect as text. Timers have none: each shows when it comes.
func (s *scene) line(effect Effect) string {
	switch e := effect.(type) {
	case After:
		return ""
	case Learn, Load, Receive:
		return ""
	case Dial:
		return "dial"
	case Close:
		return strings.TrimSpace(fmt.Sprintf("close: %d %s", e.Code, e.Reason))
	case Send:
		return fmt.Sprintf("→ MASTER: %s %s", name(e.Packet), text(s.t, e.Packet))
	case SendInfo:
		return fmt.Sprintf("→ MASTER: info, epoch %d, %s", e.Info.Epoch, served(e.Info.Ranges))
	case Deliver:
		return fmt.Sprintf("→ %s: %s", e.To, sentText(s.t, e.Message))
	case Raise:
		name, _ := e.Event.Event()
		return fmt.Sprintf("event %s %s", name, text(s.t, e.Event))
	case Save:
		return fmt.Sprintf("save: epoch %d, serves %v", e.Memory.Epoch, e.Memory.Ranges)
	case Warn:
		return "log: " + e.Text
	case Stop:
		return "stop"
	}
	return fmt.Sprintf("%T", effect)
}

func name(v any) string {
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", v), "messages."))
}

func text(t *testing.T, v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func sentText(t *testing.T, v any) string {
	switch v := v.(type) {
	case messages.Settings:
		return fmt.Sprintf("settings: %d shards in clusters of %d, epoch %d%s", v.ShardCount, v.ShardsPerCluster, v.Epoch, map[bool]string{true: ", halted"}[v.Halted])
	case messages.TakeBack:
		return "take back " + served(v.Ranges)
	case messages.Lease:
		until := "forever"
		if !v.Until.IsZero() {
			until = "until " + v.Until.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).String()
		}
		return "serve " + until + map[bool]string{true: ", only what runs"}[v.Lapsed]
	case messages.Serve:
		return "serve " + v.Range.String()
	case messages.Release:
		return "release " + v.Range.String()
	case messages.HandSessionsOver:
		return "hand the sessions of " + v.Range.String() + " over"
	case messages.ReportSessions:
		return map[bool]string{true: "report to MASTER", false: "MASTER is away"}[v.On]
	case messages.StopAll:
		return "stop all: " + v.Reason
	}
	return name(v)
}

func served(ranges []messages.RangeInfo) string {
	if len(ranges) == 0 {
		return "serves nothing"
	}
	var all []string
	for _, r := range ranges {
		all = append(all, fmt.Sprintf("%s %s (epoch %d)", r.Range, r.State, r.Epoch))
	}
	return "serves " + strings.Join(all, ", ")
}
