package rehearsal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// full returns a report with everything in it.
func full() *Report {
	return &Report{
		Name: "everything", Seed: 3, UntilMS: 5_400_000, Machines: 12, Shards: 2000, MaxConcurrency: 16,
		FirstIdentifyMS: new(messages.Milliseconds(2_350)), ReadyMS: new(messages.Milliseconds(645_820)), FloorMS: 620_000, DownAtEnd: 1,
		Faults: []Blow{
			{AtMS: 1_200_000, What: "kill machine: m2", Shards: 200, Noticed: &Noticed{"machine.lost", 20_040}, ReadyAfterMS: new(messages.Milliseconds(62_123))},
			{AtMS: 3_723_400, What: "discord close: shard 3", Shards: 1},
			{AtMS: 3_800_000, What: "kill master", Noticed: &Noticed{"master.lost", 4}},
		},
		Downtime: Downtime{Shards: 1201, MinMS: 20, MedianMS: 4_180, P99MS: 61_999, MaxMS: 1_676_600, Worst: []ShardDowntime{
			{Shard: 3, Owner: "cluster 0 of m1", Times: 2, TotalMS: 1_676_600, LongestMS: 1_676_000, Still: true},
			{Shard: 17, Owner: "cluster 1 of m12", Times: 1, TotalMS: 62_123, LongestMS: 62_123},
		}},
		Identifies: Identifies{Spent: 2200, Total: 10_000, Remaining: 7_800, TokenResets: 1},
		Resumes:    12, ResumesRefused: 3, Violations: 1, Duplicates: 2,
		Events: map[string]int{"machine.lost": 1, "cluster.ready": 1250},
		Timeline: []*Entry{
			{AtMS: 0, What: "start", Count: 1, Text: "MASTER and 12 machines"},
			{AtMS: 38_800, LastMS: 645_800, What: "cluster.ready", Where: []string{"m1", "m2", "m3", "m4"}, Count: 1250, Text: "cluster=1"},
			{AtMS: 38_900, LastMS: 39_000, What: "master.linked", Where: []string{"m1", "m2"}, Count: 2, Text: "url=ws://master"},
			{AtMS: 1_200_000, LastMS: 1_200_000, What: "fault", Count: 1, Text: "kill machine: m2, for 1m0s"},
			{AtMS: 3_723_449, LastMS: 3_723_449, What: "machine.lost", Where: []string{"master"}, Count: 1, Text: `source=m2 err="no sign of life for 10s"`},
		},
		Missed: []string{"no violation of the identify limit: there were 1", "duplicates_max 0: there were 2"},
	}
}

// The printed report is testdata/report.txt; UPDATE=1 writes it again.
func TestPrint(t *testing.T) {
	var out strings.Builder
	full().Print(&out)
	golden := filepath.Join("testdata", "report.txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// The printed report of a long run is cut.
func TestPrintIsCut(t *testing.T) {
	r := full()
	r.Timeline, r.Faults = slices.Repeat(r.Timeline, 1000), slices.Repeat(r.Faults, 300)
	var out strings.Builder
	r.Print(&out)
	for _, want := range []string{" 4,900 more: --json has them all\n", " 800 more: --json has them all\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestMissed(t *testing.T) {
	good := func() *Report {
		return &Report{ReadyMS: new(messages.Milliseconds(60_000)), Downtime: Downtime{Shards: 4, MaxMS: 30_000}, Identifies: Identifies{Spent: 2000}, Duplicates: 2,
			Events: map[string]int{"cluster.died": 3}}
	}
	for name, tc := range map[string]struct {
		expect Expect
		change func(*Report)
		want   string
	}{
		"nothing is expected":   {Expect{}, func(r *Report) { r.ReadyMS, r.DownAtEnd = nil, 5 }, ""},
		"the limit always is":   {Expect{}, func(r *Report) { r.Violations = 3 }, "no violation of the identify limit: there were 3"},
		"ready in time":         {Expect{ReadyWithin: time.Minute}, nil, ""},
		"ready too late":        {Expect{ReadyWithin: 59 * time.Second}, nil, "ready_within 59s: it was 1m0s"},
		"never ready":           {Expect{ReadyWithin: time.Minute}, func(r *Report) { r.ReadyMS = nil }, "ready_within 1m0s: every shard was never READY at once"},
		"ready at the end":      {Expect{ReadyAtEnd: true}, nil, ""},
		"down at the end":       {Expect{ReadyAtEnd: true}, func(r *Report) { r.DownAtEnd = 1 }, "ready_at_end: 1 shard down"},
		"a short downtime":      {Expect{DowntimeMax: new(30 * time.Second)}, nil, ""},
		"a long downtime":       {Expect{DowntimeMax: new(29 * time.Second)}, nil, "downtime_max 29s: it was 30s"},
		"few shards down":       {Expect{ShardsDownMax: new(4)}, nil, ""},
		"many shards down":      {Expect{ShardsDownMax: new(3)}, nil, "shards_down_max 3: there were 4"},
		"few identifies":        {Expect{IdentifiesMax: new(2000)}, nil, ""},
		"many identifies":       {Expect{IdentifiesMax: new(1999)}, nil, "identifies_max 1,999: there were 2,000"},
		"few duplicates":        {Expect{DuplicatesMax: new(2)}, nil, ""},
		"many duplicates":       {Expect{DuplicatesMax: new(0)}, nil, "duplicates_max 0: there were 2"},
		"so many events":        {Expect{Events: map[string]int{"cluster.died": 3, "cluster.gave_up": 0}}, nil, ""},
		"another number of one": {Expect{Events: map[string]int{"cluster.died": 2, "cluster.gave_up": 1}}, nil, "events.cluster.died 2: there were 3\nevents.cluster.gave_up 1: there were 0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			if tc.change != nil {
				tc.change(r)
			}
			if got := strings.Join(tc.expect.missed(r), "\n"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// A shard is down from the moment that no running process has it to the moment that one has.
func TestDowntime(t *testing.T) {
	now := time.Duration(0)
	d := newDowntime(3, func() time.Duration { return now })
	old, young := &sim.Proc{}, &sim.Proc{}
	at := func(ms int, do func()) {
		now = time.Duration(ms) * time.Millisecond
		do()
	}
	at(0, func() { d.moved(old, 0, true); d.moved(old, 1, true) })
	at(100, func() { d.moved(old, 0, false) }) // its connection is gone
	at(300, func() { d.moved(old, 0, true) })
	at(400, func() { d.moved(young, 1, true) }) // taken over before the old process lost it
	at(500, func() { d.moved(old, 1, false) })
	at(600, func() { d.hangs(old, true) })
	at(650, func() { d.hangs(old, false) })
	at(700, func() { d.hangs(old, true) })
	at(800, func() { d.moved(old, 0, false); d.hangs(old, false) }) // killed as it hung
	if d.allReady() || d.began != 2 || d.down != 1 {
		t.Errorf("began %d, down %d", d.began, d.down)
	}
	now = time.Second
	s, other := d.shards[0], d.shards[1]
	if s.times != 3 || s.total != 250*time.Millisecond || s.since != 700*time.Millisecond || s.longest != 200*time.Millisecond || other.times != 0 {
		t.Errorf("%+v, %+v", s, other)
	}
}

func TestFields(t *testing.T) {
	for want, e := range map[string]messages.Event{
		`cluster=0 shards=0-9`: messages.ClusterStoppedByOrder{Shards: "0-9"},
		`cluster=3 shards=30-39 cause=exited err="it ended" exit="signal killed" attempt=0 retry_in_ms=0`: messages.ClusterDied{Cluster: 3, Shards: "30-39", Cause: messages.CauseExited, Err: "it ended", Exit: "signal killed"},
		`on=false shards_out=0 shards=16`:        messages.DiscordOutage{Shards: 16},
		`state=stopped cluster=4 done=1 left=2`:  messages.RollingRestartMoved{State: "stopped", Cluster: new(messages.ClusterID(4)), Done: 1, Left: 2},
		`from=` + strings.Repeat("x", 155) + `…`: messages.PacketDropped{From: strings.Repeat("x", 200)},
	} {
		if got := fields(e); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
