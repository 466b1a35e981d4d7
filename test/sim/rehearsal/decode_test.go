package rehearsal

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	got, err := Parse([]byte(`
name: everything
seed: 7
fleet:
  machines: 4
  spares: 1
  shards: 64
  max_concurrency: 16
  shards_per_cluster: 8
  session_start_limit: {total: 2000, remaining: 500, reset_after: 3h}
  latency: 20ms
bot: {boot: 5s, sessions: false}
faults:
  - {at: 2m, kill: cluster, which: 3}
  - {at: 2m, every: 30s, kill: machine, which: m2, for: 10m}
  - at: 90s
    cut: [m1, master]
  - {at: 1h, discord: close, shard: 0, code: 4009}
until: 2h
expect:
  ready_within: 90s
  ready_at_end: true
  downtime_max: 0s
  shards_down_max: 0
  identifies_max: 64
  duplicates_max: 1
  events: {cluster.died: 3, control.broken: 0}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Scenario{
		Name: "everything", Seed: 7, Until: 2 * time.Hour,
		Fleet: Fleet{Machines: 4, Spares: new(1), Shards: 64, MaxConcurrency: 16, ShardsPerCluster: 8, Latency: 20 * time.Millisecond,
			SessionStartLimit: SessionStartLimit{Total: 2000, Remaining: new(500), ResetAfter: 3 * time.Hour}},
		Bot: Bot{Boot: 5 * time.Second},
		Faults: []Fault{
			{At: 2 * time.Minute, Kill: "cluster", Which: "3"},
			{At: 2 * time.Minute, Every: 30 * time.Second, Kill: "machine", Which: "m2", For: 10 * time.Minute},
			{At: 90 * time.Second, Cut: []string{"m1", "master"}},
			{At: time.Hour, Discord: "close", Shard: new(0), Code: 4009},
		},
		Expect: Expect{ReadyWithin: 90 * time.Second, ReadyAtEnd: true, DowntimeMax: new(time.Duration(0)), ShardsDownMax: new(0), IdentifiesMax: new(64), DuplicatesMax: new(1),
			Events: map[string]int{"cluster.died": 3, "control.broken": 0}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	least, err := Parse([]byte("fleet: {shards: 1}\nuntil: 1m"))
	if want := defaults(); err != nil || least.Seed != want.Seed || least.Fleet.Latency != want.Fleet.Latency || !least.Bot.Sessions {
		t.Errorf("the least: %+v, %v", least, err)
	}
}

// A bad file is refused with the line, the key, the value and the rule.
func TestBadFiles(t *testing.T) {
	const good = "fleet: {shards: 8, machines: 2}\nuntil: 1m\n"
	faults := func(one string) string { return good + "faults:\n  - " + one }
	for name, tc := range map[string]struct{ file, want string }{
		"empty":             {"", `the file is empty`},
		"no yaml":           {"fleet: {", `line 1: did not find expected node content`},
		"two documents":     {good + "---\n", `want one document: there is something behind it`},
		"a list":            {"- fleet", `line 1: the file: want keys and values`},
		"an unknown key":    {good + "sed: 3", `line 3: sed: no such key; want one of name, seed, fleet, bot, faults, until, expect`},
		"one in a section":  {good + "bot:\n  boots: 3s", `line 4: bot.boots: no such key; want one of boot, sessions`},
		"twice":             {good + "until: 2m", `line 3: until: is there twice`},
		"an alias":          {"fleet: &a {shards: 8}\nbot: *a\nuntil: 1m", `line 2: bot: want no alias`},
		"a section":         {"fleet: 8\nuntil: 1m", `line 1: fleet: want keys and values`},
		"not a list":        {good + "faults: {at: 2m}", `line 3: faults {…}: want a list`},
		"a time":            {good + "bot: {boot: 3}", `line 3: bot.boot "3": want a duration with its unit, such as 500ms, 30s or 5m`},
		"a negative time":   {good + "bot: {boot: -3s}", `line 3: bot.boot "-3s": want a duration with its unit, such as 500ms, 30s or 5m`},
		"a number":          {good + "seed: 1.5", `line 3: seed "1.5": want a whole number`},
		"a list for one":    {good + "seed: [1]", `line 3: seed […]: want a whole number`},
		"a flag":            {good + "bot: {sessions: yes}", `line 3: bot.sessions "yes": want true or false`},
		"an empty text":     {good + "name: ''", `line 3: name "": want a text`},
		"a long value":      {good + "seed: " + strings.Repeat("x", 100), `line 3: seed "` + strings.Repeat("x", 60) + `"…: want a whole number`},
		"no end":            {"fleet: {shards: 8}", `line 1: until 0s: want a time of up to 168h0m0s`},
		"a late end":        {"fleet: {shards: 8}\nuntil: 169h", `line 2: until 169h0m0s: want a time of up to 168h0m0s`},
		"no shards":         {"fleet:\n  machines: 1\nuntil: 1m", `line 2: fleet.shards 0: want 1 to 10000`},
		"too many shards":   {"fleet: {shards: 10001}\nuntil: 1m", `line 1: fleet.shards 10001: want 1 to 10000`},
		"too many machines": {"fleet: {shards: 8, machines: 1001}\nuntil: 1m", `line 1: fleet.machines 1001: want 1 to 1000`},
		"only spares":       {"fleet: {shards: 8, machines: 2, spares: 2}\nuntil: 1m", `line 1: fleet.spares 2: want 0 to 1`},
		"no machine":        {"fleet: {shards: 8, machines: 0}\nuntil: 1m", `line 1: fleet.machines 0: want 1 to 1000`},
		"a budget": {"fleet: {shards: 8, session_start_limit: {total: -1, remaining: -1, reset_after: 25h}}\nuntil: 1m",
			"line 1: fleet.session_start_limit.total -1: want 0 to 1000000\nline 1: fleet.session_start_limit.remaining -1: want 0 to 1000000\nline 1: fleet.session_start_limit.reset_after 25h0m0s: want at most 24h"},
		"all at once":       {"seed: x\nfleet: {shard: 8}\n", "line 1: seed \"x\": want a whole number\nline 2: fleet.shard: no such key; want one of machines, spares, shards, max_concurrency, shards_per_cluster, session_start_limit, latency"},
		"too many faults":   {faults("{at: 1s, kill: cluster}" + strings.Repeat("\n  - {at: 1s, kill: cluster}", 1000)), `line 4: faults: 1001 of them; want at most 1000`},
		"too often":         {"fleet: {shards: 8}\nuntil: 1h\nfaults: [{at: 1s, every: 1s, kill: cluster}]", `line 3: faults: 3599 of them, repetitions counted; want at most 1000`},
		"too fast":          {faults("{at: 1s, every: 100ms, kill: cluster}"), `line 4: faults[1].every 100ms: want at least 1s`},
		"nothing is done":   {faults("{at: 1s, which: m1}"), `line 4: faults[1]: want one of kill, freeze, cut, discord and order`},
		"two are":           {faults("{at: 1s, kill: cluster, freeze: control}"), `line 4: faults[1]: want one of kill, freeze, cut, discord and order`},
		"too late":          {faults("{at: 60s, kill: cluster}"), `line 4: faults[1].at 1m0s: nothing could follow: want less than until 1m0s`},
		"an unknown victim": {faults("{at: 1s, kill: shard}"), `line 4: faults[1].kill "shard": want one of machine, cluster, control, master`},
		"an unknown order":  {faults("{at: 1s, order: reboot}"), `line 4: faults[1].order "reboot": want one of rolling_restart, restart, drain, stop`},
		"no such machine":   {faults("{at: 1s, kill: machine, which: m3}"), `line 4: faults[1].which "m3": want a machine, m1 to m2`},
		"another spelling":  {faults("{at: 1s, kill: machine, which: m01}"), `line 4: faults[1].which "m01": want a machine, m1 to m2`},
		"no such cluster":   {faults("{at: 1s, kill: cluster, which: c3}"), `line 4: faults[1].which "c3": want the number of a cluster, or a machine, m1 to m2, for any of its clusters`},
		"an order to none":  {faults("{at: 1s, order: restart}"), `line 4: faults[1].which: say to which cluster the order goes`},
		"an order to many":  {faults("{at: 1s, order: restart, which: m1}"), `line 4: faults[1].which "m1": want the number of a cluster`},
		"which MASTER":      {faults("{at: 1s, kill: master, which: m1}"), `line 4: faults[1].which "m1": kill master is of none in particular`},
		"no end of it":      {faults("{at: 1s, freeze: control}"), `line 4: faults[1].for: say how long: freeze control lasts for a while`},
		"an end of it":      {faults("{at: 1s, kill: cluster, for: 3s}"), `line 4: faults[1].for 3s: kill cluster has no end`},
		"a shard":           {faults("{at: 1s, kill: cluster, shard: 3}"), `line 4: faults[1].shard: kill cluster is of no shard`},
		"no such shard":     {faults("{at: 1s, discord: reconnect, shard: 8}"), `line 4: faults[1].shard 8: want 0 to 7`},
		"a code":            {faults("{at: 1s, discord: reconnect, code: 4000}"), `line 4: faults[1].code 4000: only discord: close has a code`},
		"no such code":      {faults("{at: 1s, discord: close, code: 99}"), `line 4: faults[1].code 99: want 1000 to 4999`},
		"a cut of one":      {faults("{at: 1s, cut: [m1]}"), `line 4: faults[1].cut: want [machine, master], the machine being one of m1 to m2`},
		"a cut of two":      {faults("{at: 1s, cut: [m1, m2]}"), `line 4: faults[1].cut: want [machine, master], the machine being one of m1 to m2`},
		"a count":           {good + "expect: {events: {cluster.died: some}}", `line 3: expect.events.cluster.died "some": want a whole number`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(tc.file)); fmt.Sprint(err) != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("fleet: {shards: 8}\nuntil: 1m\nfaults: [{at: 1s, every: 1s, kill: cluster, which: 1}, {at: 2s, cut: [m1, master]}]"))
	f.Add([]byte("expect: {events: {a: 1}}\nbot: !!binary x"))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := Parse(file)
		if err == nil && (s.Fleet.Shards > shardsMax || s.Fleet.Machines > machinesMax || s.Until > untilMax || len(s.Faults) > faultsMax) {
			t.Errorf("beyond the limits: %+v", s)
		}
	})
}
