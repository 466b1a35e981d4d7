package rehearsal

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/cluster"
	"github.com/discluster/control/actors/gate"
	"github.com/discluster/control/messages"
)

// settings returns the settings of a default configuration.
func settings() Settings {
	s := Settings{
		Control: actors.Options{
			Version: "test",
			Cluster: cluster.Options{
				Protocol: messages.ProtocolSDK, HelloTimeout: 30 * time.Second, ReadyTimeout: time.Minute, Heartbeat: 5 * time.Second,
				StopGrace: 8 * time.Second, KillGrace: 2 * time.Second, OnLost: messages.OnLostAutonomous,
			},
			Identify: gate.Options{TTL: 2 * time.Second, Margin: 100 * time.Millisecond},
		},
	}
	s.Master.Wait, s.Master.Grace = 45*time.Second, 30*time.Second
	s.Master.Heartbeat, s.Master.TTL, s.Master.Margin = 5*time.Second, 2*time.Second, 100*time.Millisecond
	return s
}

// rehearse runs a scenario in a bubble of its own; rehearseBy does so with other settings.
func rehearse(t *testing.T, file string) *Report { return rehearseBy(t, settings(), file) }

func rehearseBy(t *testing.T, as Settings, file string) (report *Report) {
	t.Helper()
	s, err := Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if report, err = Run(s, as, func() bool { return false }); err != nil {
			t.Fatal(err)
		}
	})
	return report
}

// small is a fleet of one machine with two clusters of eight shards, pair the same on two; the
// faults are appended.
const (
	small = "fleet: {machines: 1, shards: 16, max_concurrency: 16, shards_per_cluster: 8}\nuntil: 5m\n"
	pair  = "fleet: {machines: 2, shards: 16, max_concurrency: 16, shards_per_cluster: 8}\nuntil: 5m\n"
)

// Each fault has its effect, is noticed by the event in the table, and is over in the expected
// time.
func TestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		fleet      string
		fault      string // at 1m
		what       string
		down       int           // shards
		noticed    string        // "": no event
		over       time.Duration // from the fault, at most; 0: nothing is down
		identifies int           // beside those of the start
		events     map[string]int
	}{
		"a machine":            {small, "kill: machine, which: m1, for: 1m", "kill machine: m1", 16, "machine.lost", 75 * time.Second, 16, map[string]int{"machine.joined": 2}},
		"any machine":          {small, "kill: machine, for: 10s", "kill machine: m1", 16, "machine.lost", 20 * time.Second, 0, nil},
		"a machine for good":   {small, "kill: machine, which: m1", "kill machine: m1", 16, "machine.lost", -1, 0, map[string]int{"machine.joined": 1}},
		"a cluster":            {pair, "kill: cluster, which: 1", "kill cluster: cluster 1 of m2", 8, "cluster.died", 4 * time.Second, 0, nil},
		"a machine's cluster":  {pair, "kill: cluster, which: m1", "kill cluster: cluster 0 of m1", 8, "cluster.died", 4 * time.Second, 0, nil},
		"CONTROL":              {small, "kill: control, which: m1, for: 8s", "kill control: m1", 0, "machine.lost", 0, 0, map[string]int{"cluster.adopted": 2, "cluster.died": 0}},
		"MASTER":               {pair, "kill: master, for: 40s", "kill master", 0, "master.lost", 0, 0, map[string]int{"fleet.asked": 2}},
		"a process that hangs": {pair, "freeze: cluster, which: 0", "freeze cluster: cluster 0 of m1", 8, "cluster.died", 20 * time.Second, 0, nil},
		"one that goes on":     {pair, "freeze: cluster, which: 0, for: 3s", "freeze cluster: cluster 0 of m1", 8, "", 3 * time.Second, 0, map[string]int{"cluster.died": 0}},
		"CONTROL sleeps":       {small, "freeze: control, which: m1, for: 60s", "freeze control: m1", 0, "machine.lost", 0, 0, map[string]int{"cluster.died": 0}},
		"MASTER sleeps":        {pair, "freeze: master, for: 60s", "freeze master", 0, "master.lost", 0, 0, map[string]int{"cluster.died": 0}},
		"a cut":                {small, "cut: [m1, master], for: 15s", "cut [m1, master]", 0, "master.lost", 0, 0, map[string]int{"machine.joined": 2}},
		"an outage":            {pair, "discord: outage, for: 30s", "discord outage", 16, "discord.outage", 70 * time.Second, 0, map[string]int{"cluster.died": 0}},
		"a long outage":        {pair, "discord: outage, for: 2m", "discord outage", 16, "discord.outage", 160 * time.Second, 16, map[string]int{"cluster.died": 0}},
		"reconnects":           {pair, "discord: reconnect", "discord reconnect", 16, "", time.Second, 0, nil},
		"one reconnect":        {pair, "discord: reconnect, shard: 3", "discord reconnect: shard 3", 1, "", time.Second, 0, nil},
		"sessions end":         {pair, "discord: invalidate", "discord invalidate", 16, "", 10 * time.Second, 16, nil},
		"a close":              {pair, "discord: close, shard: 0", "discord close: shard 0", 1, "", 2 * time.Second, 0, nil},
		"another close":        {pair, "discord: close, code: 4009, shard: 0", "discord close: shard 0", 1, "", 10 * time.Second, 1, nil},
		"a fatal close":        {pair, "discord: close, code: 4013, shard: 0", "discord close: shard 0", 16, "", -1, 0, map[string]int{"fleet.halted": 3}},
		"a rolling restart":    {pair, "order: rolling_restart, which: m2", "order rolling_restart: m2", 8, "rolling_restart.moved", 4 * time.Second, 0, nil},
		"a restart":            {pair, "order: restart, which: 1", "order restart: cluster 1 of m2", 8, "", 4 * time.Second, 0, nil},
		"a drain":              {pair, "order: drain, which: 1", "order drain: cluster 1 of m2", 8, "cluster.stopped", -1, 0, nil},
		"a stop":               {pair, "order: stop, which: 1", "order stop: cluster 1 of m2", 8, "cluster.stopped", -1, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := rehearse(t, tc.fleet+"faults: [{at: 1m, "+tc.fault+"}]")
			if len(r.Faults) != 1 {
				t.Fatalf("faults %v", r.Faults)
			}
			f := r.Faults[0]
			if f.What != tc.what || f.Shards != tc.down || f.AtMS != 60_000 {
				t.Errorf("%q at %d took down %d shards, want %q, %d", f.What, f.AtMS, f.Shards, tc.what, tc.down)
			}
			if f.Noticed == nil && tc.noticed != "" || f.Noticed != nil && f.Noticed.Event != tc.noticed {
				t.Errorf("noticed by %v, want %q", f.Noticed, tc.noticed)
			}
			switch {
			case tc.over <= 0:
				if f.ReadyAfterMS != nil {
					t.Errorf("READY again after %v", f.ReadyAfterMS.Duration())
				}
			case f.ReadyAfterMS == nil || f.ReadyAfterMS.Duration() > tc.over:
				t.Errorf("READY again after %v, want at most %v", f.ReadyAfterMS, tc.over)
			}
			if left := r.DownAtEnd; (left > 0) != (tc.over < 0) {
				t.Errorf("%d shards down at the end", left)
			}
			if got := r.Identifies.Spent - 16; got != tc.identifies {
				t.Errorf("%d identifies, want %d", got, tc.identifies)
			}
			for event, n := range tc.events {
				if r.Events[event] != n {
					t.Errorf("%s %d times, want %d", event, r.Events[event], n)
				}
			}
			if len(r.Missed) > 0 {
				t.Errorf("missed: %q", r.Missed)
			}
		})
	}
}

// A fault that cannot be injected is reported, and does not count.
func TestNothingToDo(t *testing.T) {
	r := rehearse(t, small+`faults:
  - {at: 1m, kill: machine, which: m1}
  - {at: 2m, kill: machine, which: m1}
  - {at: 2m, kill: control, which: m1}
  - {at: 2m, kill: cluster, which: 0}
  - {at: 2m, kill: cluster, which: m1}
  - {at: 2m, order: restart, which: 0}
  - {at: 3m, kill: master}
  - {at: 4m, kill: master}`)
	var reported []string
	for _, e := range r.Timeline {
		if strings.Contains(e.Text, "nothing to do") {
			reported = append(reported, e.Text)
		}
	}
	want := `kill machine: nothing to do, m1 is down
kill control: nothing to do, m1 is down
kill cluster: nothing to do, cluster 0 does not run
kill cluster: nothing to do, nothing runs on m1
order restart: nothing to do, no CONTROL that runs has cluster 0
kill master: nothing to do, it is down`
	if got := strings.Join(reported, "\n"); got != want || len(r.Faults) != 2 {
		t.Errorf("%d faults; reported:\n%s\nwant:\n%s", len(r.Faults), got, want)
	}
}

// A machine without power closes no connection: MASTER notices only its silence. A killed CONTROL's
// connections are closed.
func TestSilence(t *testing.T) {
	r := rehearse(t, small+"faults: [{at: 1m, kill: control, for: 5s}, {at: 2m, kill: machine}]")
	if noticed := r.Faults[0].Noticed; noticed == nil || noticed.AfterMS > 1000 {
		t.Errorf("CONTROL killed: noticed by %v", noticed)
	}
	if noticed := r.Faults[1].Noticed; noticed == nil || noticed.AfterMS < 10_000 {
		t.Errorf("machine killed: noticed by %v", noticed)
	}
}

// A spare takes over the sessions of a machine that died, and keeps them when that machine is back.
func TestSpare(t *testing.T) {
	r := rehearse(t, "fleet: {machines: 3, spares: 1, shards: 16, max_concurrency: 16, shards_per_cluster: 8}\nuntil: 5m\nfaults: [{at: 1m, kill: machine, which: m1, for: 2m}]")
	if f := r.Faults[0]; f.Shards != 8 || f.ReadyAfterMS == nil || f.ReadyAfterMS.Duration() > time.Minute || r.Identifies.Spent != 16 || r.Resumes != 8 || r.Duplicates != 0 {
		t.Errorf("%d shards down, READY again after %v, %d identifies, %d resumes, %d duplicates", f.Shards, f.ReadyAfterMS, r.Identifies.Spent, r.Resumes, r.Duplicates)
	}
	if now := r.Downtime.Worst[0].Owner; r.Events["machine.replaced"] != 1 || now != "cluster 0 of m3" {
		t.Errorf("served by %s, machine.replaced %d times", now, r.Events["machine.replaced"])
	}
}

// Faults of one moment share their consequences.
func TestAtOnce(t *testing.T) {
	r := rehearse(t, pair+"faults: [{at: 1m, discord: reconnect}, {at: 1m, cut: [m1, master], for: 5s}, {at: 2m, kill: cluster, which: 0}]")
	for i, want := range []int{16, 16, 8} {
		if f := r.Faults[i]; f.Shards != want || f.ReadyAfterMS == nil || f.ReadyAfterMS.Duration() > 4*time.Second {
			t.Errorf("%s: %d shards down, want %d; READY again after %v", f.What, f.Shards, want, f.ReadyAfterMS)
		}
	}
}

// A seed has one report, another seed another.
func TestSeeds(t *testing.T) {
	const story = pair + "faults: [{at: 1m, every: 40s, kill: cluster}, {at: 90s, discord: reconnect}]\nseed: "
	text := func(seed string) string {
		b, err := json.Marshal(rehearse(t, story+seed))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	one := text("7")
	if again := text("7"); again != one {
		t.Errorf("seed 7:\n%s\nand again:\n%s", one, again)
	}
	if text("8") == one {
		t.Error("seed 8 is seed 7")
	}
}

// Bots of every protocol are rehearsed.
func TestProtocols(t *testing.T) {
	for protocol, ready := range map[messages.Protocol]time.Duration{messages.ProtocolSDK: 10 * time.Second, messages.ProtocolDiscordoo: 250 * time.Second, messages.ProtocolEnv: 90 * time.Second} {
		t.Run(string(protocol), func(t *testing.T) {
			as := settings()
			as.Control.Cluster.Protocol, as.Control.Cluster.Ready = protocol, messages.ReadyRule{After: 30 * time.Second}
			r := rehearseBy(t, as, pair+"faults: [{at: 260s, kill: cluster, which: 0}]")
			if r.FirstIdentifyMS == nil || r.ReadyMS == nil || *r.ReadyMS <= *r.FirstIdentifyMS || r.ReadyMS.Duration() > ready || len(r.Missed) > 0 {
				t.Errorf("first IDENTIFY after %v, READY after %v; missed: %q", r.FirstIdentifyMS, r.ReadyMS, r.Missed)
			}
			if f := r.Faults[0]; f.Shards != 8 || r.Downtime.Shards != 8 {
				t.Errorf("%+v, %+v", f, r.Downtime)
			}
		})
	}
}

// The report has the identifies spent, and that they exceeded the expectation.
func TestBudget(t *testing.T) {
	r := rehearse(t, small+"faults: [{at: 1m, every: 20s, discord: invalidate}]\nexpect: {identifies_max: 20, ready_at_end: true}\n")
	if r.Identifies.Total != 1000 || r.Identifies.Spent < 21 || r.Identifies.Remaining != 1000-r.Identifies.Spent {
		t.Errorf("%+v", r.Identifies)
	}
	if len(r.Missed) == 0 || !strings.HasPrefix(r.Missed[0], "ready_at_end: 16 shards down") {
		t.Errorf("missed %q", r.Missed)
	}
}

func TestStopped(t *testing.T) {
	s, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if r, err := Run(s, settings(), func() bool { return true }); r != nil || !errors.Is(err, errStopped) {
			t.Errorf("%v, %v", r, err)
		}
	})
}
