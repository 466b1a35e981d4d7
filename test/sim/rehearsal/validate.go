package rehearsal

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/discluster/control/transport/discord/rules"
)

// Limits of a scenario: what a laptop can simulate in minutes.
const (
	shardsMax   = 10_000
	machinesMax = 1_000
	untilMax    = 7 * 24 * time.Hour
	faultsMax   = 1_000 // with repetitions
	latencyMax  = time.Second
	countMax    = 1_000_000
)

// want reports the rule of a key unless ok.
func (d *decoder) want(ok bool, key string, value any, rule string, args ...any) {
	if ok {
		return
	}
	at, shown := key, ""
	for d.lines[at] == 0 && at != "" { // an absent key is reported at its section
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
	}
	switch v := value.(type) {
	case nil:
	case string:
		shown = " " + strconv.Quote(v)
	default:
		shown = fmt.Sprintf(" %v", v)
	}
	d.fail(d.lines[at], "%s%s: %s", key, shown, fmt.Sprintf(rule, args...))
}

func (d *decoder) count(key string, value, least, most int) {
	d.want(value >= least && value <= most, key, value, "want %d to %d", least, most)
}

// validate checks the values against their rules.
func (d *decoder) validate(s *Scenario) {
	d.count("seed", s.Seed, 0, countMax)
	d.want(s.Until > 0 && s.Until <= untilMax, "until", s.Until, "want a time of up to %v", untilMax)
	f := s.Fleet
	d.count("fleet.machines", f.Machines, 1, machinesMax)
	if f.Spares != nil {
		d.count("fleet.spares", *f.Spares, 0, f.Machines-1)
	}
	d.count("fleet.shards", f.Shards, 1, shardsMax)
	d.count("fleet.max_concurrency", f.MaxConcurrency, 1, shardsMax)
	d.count("fleet.shards_per_cluster", f.ShardsPerCluster, 0, shardsMax)
	d.want(f.Latency <= latencyMax, "fleet.latency", f.Latency, "want at most %v", latencyMax)
	d.count("fleet.session_start_limit.total", f.SessionStartLimit.Total, 0, countMax)
	if r := f.SessionStartLimit.Remaining; r != nil {
		d.count("fleet.session_start_limit.remaining", *r, 0, countMax)
	}
	d.want(f.SessionStartLimit.ResetAfter <= 24*time.Hour, "fleet.session_start_limit.reset_after", f.SessionStartLimit.ResetAfter, "want at most 24h")
	d.want(s.Bot.Boot <= time.Hour, "bot.boot", s.Bot.Boot, "want at most 1h")
	total := 0
	for i, one := range s.Faults {
		d.fault(at("faults", i), one, s)
		total++
		if one.Every > 0 {
			total += int(max(s.Until-one.At-1, 0) / one.Every)
		}
	}
	d.want(total <= faultsMax, "faults", nil, "%d of them, repetitions counted; want at most %d", total, faultsMax)
}

// fault checks one fault against the table.
func (d *decoder) fault(key string, f Fault, s *Scenario) {
	verbs := 0
	for _, there := range []bool{f.Kill != "", f.Freeze != "", f.Cut != nil, f.Discord != "", f.Order != ""} {
		if there {
			verbs++
		}
	}
	if verbs != 1 {
		d.want(false, key, nil, "want one of kill, freeze, cut, discord and order")
		return
	}
	d.want(f.At < s.Until, key+".at", f.At, "nothing could follow: want less than until %v", s.Until)
	d.want(f.Every == 0 || f.Every >= time.Second, key+".every", f.Every, "want at least 1s")
	k, known := f.kind()
	if !known {
		d.want(false, key+"."+f.verb(), f.object(), "want one of %s", strings.Join(objects(f.verb()), ", "))
		return
	}
	d.want(k.lasts != never || f.For == 0, key+".for", f.For, "%s has no end", f)
	d.want(k.lasts != always || f.For > 0, key+".for", nil, "say how long: %s lasts for a while", f)
	d.want(f.Shard == nil || f.Discord != "" && f.Discord != "outage", key+".shard", nil, "%s is of no shard", f)
	if f.Shard != nil {
		d.count(key+".shard", *f.Shard, 0, s.Fleet.Shards-1)
	}
	d.want(f.Code == 0 || f.Discord == "close", key+".code", f.Code, "only discord: close has a code")
	d.want(f.Code == 0 || f.Code >= 1000 && f.Code <= 4999, key+".code", f.Code, "want 1000 to 4999")
	d.which(key, f, k, s)
}

// which checks the name of a fault's object against the existing ones.
func (d *decoder) which(key string, f Fault, k *kind, s *Scenario) {
	machines := "m1 to " + machineName(s.Fleet.Machines)
	isMachine := func(name string) bool {
		n, err := strconv.Atoi(strings.TrimPrefix(name, "m"))
		return err == nil && name == machineName(n) && n >= 1 && n <= s.Fleet.Machines
	}
	n, err := strconv.Atoi(f.Which)
	isCluster := err == nil && n >= 0 && n < s.Fleet.Shards
	which := key + ".which"
	switch {
	case f.Cut != nil:
		d.want(len(f.Cut) == 2 && isMachine(f.Cut[0]) && f.Cut[1] == masterPlace, key+".cut", nil, "want [machine, master], the machine being one of %s", machines)
		d.want(f.Which == "", which, f.Which, "cut names its ends itself")
	case f.Which == "":
		d.want(f.Order == "", which, nil, "say to which %s the order goes", k.hits)
	case k.hits == aMachine:
		d.want(isMachine(f.Which), which, f.Which, "want a machine, %s", machines)
	case k.hits == aCluster && f.Order != "":
		d.want(isCluster, which, f.Which, "want the number of a cluster")
	case k.hits == aCluster:
		d.want(isCluster || isMachine(f.Which), which, f.Which, "want the number of a cluster, or a machine, %s, for any of its clusters", machines)
	default:
		d.want(false, which, f.Which, "%s is of none in particular", f)
	}
}

// rules returns Discord's rules for the bot.
func (f Fleet) rules(token string) rules.Config {
	c := rules.Config{Token: token, ShardCount: f.Shards, MaxConcurrency: f.MaxConcurrency, IdentifyTotal: f.SessionStartLimit.Total, FirstReset: f.SessionStartLimit.ResetAfter}
	if c.IdentifyTotal == 0 {
		c.IdentifyTotal = max(1000, 5*f.Shards)
	}
	if r := f.SessionStartLimit.Remaining; r != nil {
		c.IdentifyRemaining = *r
		if *r == 0 {
			c.IdentifyRemaining = -1
		}
	}
	return c
}
