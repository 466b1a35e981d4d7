package main

import (
	"maps"
	"regexp"
	"slices"
)

// carriers are the files whose code carries an invariant; every one of them is mutated.
var carriers = []string{
	"actors/cluster/*.go", "actors/gate/*.go", "actors/link/*.go", "actors/plan/*.go", "actors/sessions/*.go",
	"actors/master/fleet/*.go", "actors/master/governor*.go", "actors/master/sessions*.go",
	"transport/proc/find*.go",
}

// bystanders are files that match and carry none: only people read their results.
var bystanders = []string{"actors/plan/eventlog.go", "actors/plan/alert.go", "actors/plan/webhook.go", "actors/plan/forecast.go", "actors/plan/doc.go", "actors/master/fleet/view.go", "actors/master/fleet/doc.go", "actors/cluster/doc.go", "actors/gate/doc.go", "actors/link/doc.go", "actors/sessions/doc.go"}

// promise is a kind of mutants that no test may let survive, by their names: place, change, and
// text.
type promise struct {
	like   *regexp.Regexp
	unlike *regexp.Regexp // of like's words in another meaning; nil for none
}

// Words of the text that a mutant changes.
const (
	timer    = "drop [`\"]([\\w.]+ = )?[\\w.]+\\.(After|In)\\(" // sets one: without it the wait never ends
	identity = `\b(Instance|run|runs|Run|thisRun|ofRun|life|chain|Expired|seq|losses|turn|Fingerprint|boot|stale)\b`
	order    = `\b(lease|leased|halt|halted|Halted|fence)\b`
)

// promises are these kinds. Mutants of none are only tried with -kinds other.
var promises = map[string]promise{
	"persist": {like: regexp.MustCompile(`: drop .*\b(Save|Remove|save|write|intend|note|record|remember|forget|inherit)\b`)},
	"delay":   {like: regexp.MustCompile(`: (never wait|wait long|wait without) |: ` + timer)},
	"age": {
		like: regexp.MustCompile("`.*\\b(Since|Until|Before|After|Sub|age|until|since|at|from|last|left|due|overdue)\\b"),
		// A timer is a delay. The last shard of a range, what is left of a list or of a budget, and a
		// place in a text are no times.
		unlike: regexp.MustCompile(`^actors/plan/(cut|place|queue|redact|loan)\.go |^actors/cluster/ranges\.go \S+\.cutOut: |^actors/link/orders\.go orders\.cut: |: ` + timer),
	},
	"epoch": {like: regexp.MustCompile("`.*[eE]poch")},
	// A condition on the sender, a change of it, and whatever carries a lease or a halt. A report that
	// only carries the name of its run is none.
	"fence": {like: regexp.MustCompile(`: (if|case|return|=|without) .*(` + identity + `|` + order + "|\\.(link|process|epoch) [!=]= )" +
		`|: drop .*` + order + "|: drop [`\"][^(]*" + identity + `|^actors/link/lease\.go .*: drop .*` + identity)},
	"search": {
		like: regexp.MustCompile("`.*\\b(gone|Gone|GoneError|ErrGone|Find|found|searchPrevious|searchKilled|nextMark|retrySearch|stray|adopted)\\b|^(actors/cluster/search|transport/proc/find)\\S* .*errors\\.(Is|As)\\("),
		// Sessions that are over, a range that is taken away, a place that is found: none of these looks
		// for a process.
		unlike: regexp.MustCompile("^actors/(plan|master)/|^actors/cluster/limits\\.go |^actors/cluster/ranges\\.go \\S+\\.cutOut: |^actors/sessions/sync\\.go |: drop `c\\.keep\\("),
	},
}

// reported matches mutants that only leave out an event for people: they break none of these
// promises, whatever the event is.
var reported = regexp.MustCompile(`: drop .*\braise\(`)

// kinds are the promises that a mutant breaks: those of its text, "table" for one by hand, "other"
// for none.
func kinds(m mutant) (all []string) {
	if m.breaks != "" {
		return []string{"table"}
	}
	for _, kind := range slices.Sorted(maps.Keys(promises)) {
		p := promises[kind]
		if p.like.MatchString(m.name) && (p.unlike == nil || !p.unlike.MatchString(m.name)) && !reported.MatchString(m.name) {
			all = append(all, kind)
		}
	}
	if len(all) == 0 {
		return []string{"other"}
	}
	return all
}

// byHand is a mutant that syntax alone does not offer.
type byHand struct {
	name   string // what the mutant does
	file   string
	in     string // the function, "Type.method"
	from   string // statements or an expression in it, in one line; there exactly once
	to     string
	breaks string // the promise that a test must hold it against
}

var table = []byHand{
	{
		name: "reads a time of the steady clock by the wall clock", file: "actors/gate/asking.go", in: "Gate.wait",
		from: "g.W.FromSteady(*m.NotBefore)", to: "g.W.FromWall(*m.NotBefore)", breaks: "a clock that is set breaks no identify limit",
	},
	{
		name: "does not see that a clock was set", file: "actors/link/clock.go", in: "Link.hear",
		from: "clocks.FromWall(*at)", to: "clocks.FromSteady(*at)", breaks: "a clock that is set costs a wait of seconds",
	},
	{
		name: "takes a permit that lay in a socket for a new one", file: "actors/gate/asking.go", in: "Gate.age",
		from: "max(time.Since(g.W.FromWall(*m.Now))+g.settings.ClockAhead, 0)", to: "0", breaks: "a permit that is over is not used",
	},
	{
		name: "starts before the intent is on disk", file: "actors/cluster/record.go", in: "Cluster.write",
		from: "c.W.Save(c.recordName(), world.Encode(r), func(err error) { send(recorded{run, err}) })",
		to:   "send(recorded{run, nil}); c.W.Save(c.recordName(), world.Encode(r), func(error) {})", breaks: "the intent is written before the fork",
	},
	{
		name: "sends a permit before its bucket is on disk", file: "actors/gate/permits.go", in: "Gate.save",
		from: "g.W.Save(gateFile, data, func(err error) { send(gateSaved{permits: permits, share: share, err: err}) })",
		to:   "send(gateSaved{permits: permits, share: share}); g.W.Save(gateFile, data, func(error) {})", breaks: "the next run breaks no limit of this one",
	},
}
