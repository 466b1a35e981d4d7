package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// fleetStub is a MASTER that answers every order with verdict and then sends the events of follow.
// An order that it has received before is done.
type fleetStub struct {
	verdict messages.Verdict
	follow  func(id string) messages.EventBatch

	view     messages.FleetView
	received messages.FleetOrder
}

func (s *fleetStub) GetFleetView(m messages.GetFleetView) { m.Answer(s.view) }

func (s *fleetStub) OrderFleet(m messages.FleetOrder) {
	verdict := s.verdict
	if m.ID == s.received.ID {
		verdict = messages.Verdict{Done: true}
	}
	s.received = m
	m.Answer(verdict)
}

func (s *fleetStub) Follow(m messages.Follow) { m.Deliver(s.follow(s.received.ID)) }

// eventBatch returns events with ids from 11 on.
func eventBatch(all ...messages.Event) (t messages.EventBatch) {
	for i, e := range all {
		t.Last = uint64(11 + i)
		t.Events = append(t.Events, messages.EventRecord{ID: t.Last, Machine: "MASTER", Event: e})
	}
	return t
}

// An order to the fleet ends with the events of its own id; those of other orders are not shown.
func TestFleetOrderEnds(t *testing.T) {
	moved := func(id string, state messages.FleetOrderState, err string) messages.Event {
		return messages.FleetOrderMoved{OrderID: id, Order: "drain machine m1", State: state, Err: err}
	}
	for name, c := range map[string]struct {
		verdict messages.Verdict
		follow  func(id string) messages.EventBatch
		args    []string
		err     string
		want    string
	}{
		"done": {messages.Verdict{After: 10}, func(id string) messages.EventBatch {
			return eventBatch(moved("another", messages.FleetOrderFailed, "no"), moved(id, messages.FleetOrderRunning, ""), moved(id, messages.FleetOrderDone, ""))
		}, nil, "", "state=done"},
		"failed": {messages.Verdict{After: 10}, func(id string) messages.EventBatch {
			return eventBatch(moved(id, messages.FleetOrderFailed, "machine m2 was lost"))
		}, nil, "drain machine m1: machine m2 was lost", "state=failed"},
		"MASTER was restarted": {messages.Verdict{After: 10}, func(string) messages.EventBatch { return messages.EventBatch{Gap: true, Last: 99} }, nil, "", "no longer kept"},
		"refused":              {messages.Verdict{Refusal: messages.RefusedNow, Reason: "there is no other machine"}, nil, nil, "drain machine m1: there is no other machine", ""},
		"not waited for":       {messages.Verdict{After: 10}, nil, []string{"--no-wait"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			stub := &fleetStub{verdict: c.verdict, follow: c.follow}
			out, err := drainAt(t, stub, append(c.args, "--yes")...)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if !strings.Contains(out, c.want) || strings.Contains(out, "another") {
				t.Errorf("%q, want %q", out, c.want)
			}
			if d := (messages.DrainMachine{Source: "m1"}); stub.received.Directive != d {
				t.Errorf("MASTER received %+v", stub.received.Directive)
			}
		})
	}
}

// drainAt runs `control drain --machine m1` on the machine of this MASTER.
func drainAt(t *testing.T, stub *fleetStub, args ...string) (out string, err error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	server := admin.New(admin.Options{}, nil, stub)
	t.Cleanup(server.Close)
	if err := server.ListenUnix(filepath.Join(dir, daemon.MasterSocket)); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	c := drainCommand()
	c.SetArgs(append([]string{"--machine", "m1", "--state.dir", dir}, args...))
	c.SetOut(&text)
	c.SilenceUsage, c.SilenceErrors = true, true
	err = c.ExecuteContext(t.Context())
	return text.String(), err
}

// The status of a fleet shows a drained machine, a machine whose clusters are unknown, and a budget
// that is nearly spent.
func TestPrintFleet(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v := messages.FleetView{At: at, Started: at.Add(-time.Hour), State: "serving", ShardCount: 8, ShardsReady: 8,
		Budget: &messages.IdentifyBudget{Total: 1000, Remaining: 5, Reserve: 8, ResetAt: at.Add(90 * time.Minute)},
		Machines: []messages.FleetMachine{{Source: "m1", Host: "box", Linked: true, Drained: true},
			{Source: "m2", Host: "box", Linked: true, Spare: true},
			{Source: "m4", Host: "box", State: messages.MachineIsLost, AwaySince: new(at.Add(-time.Minute)), Granted: []messages.ShardRange{}},
			{Source: "m5", Host: "box", State: messages.MachineIsAway, AwaySince: new(at.Add(-time.Second)), Granted: []messages.ShardRange{{First: 0, Last: 7}}, ShardsReady: 8,
				Clusters: messages.ClusterCounts{Serving: 1}},
			{Source: "m3", Host: "box", Linked: true, Ranges: []messages.RangeInfo{{Range: messages.ShardRange{First: 0, Last: 7}}}}}}
	drawn := func() string {
		var text strings.Builder
		printFleet(&text, v)
		return text.String()
	}
	for _, want := range []string{"8 of 8 READY", "LOW      5 of 1000 identifies are left, 5 of them kept for a start, full again in 1h30m", "drained", "spare", "unknown",
		"m4       box   lost for 1m0s  none     -      unknown", "m5       box   away for 1s    0-7      8/8    1 serving"} {
		if got := drawn(); !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	v.Budget.Remaining, v.Budget.Lent = 40, 32
	if got, want := drawn(), "LOW      40 of 1000 identifies are left, 8 of them kept for a start, 32 lent to machines that are away, full"; !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
	v.Budget.Remaining = 41
	if got, want := drawn(), "budget   41 of 1000 identifies are left, 8 of them kept for a start, 32 lent"; !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
	v.Budget.Remaining, v.Budget.Lent, v.Halted = 9, 0, true
	if got := drawn(); strings.Contains(got, "LOW") || !strings.Contains(got, "control resume-fleet") {
		t.Error(got)
	}
}
