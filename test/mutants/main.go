// Mutants checks the tests: it puts small faults into the code that carries an invariant, one at a
// time, and wants a test to fail for each.
//
//	go run ./test/mutants                    every mutant
//	go run ./test/mutants -budget 8m         a sample that changes every day, in eight minutes
//	go run ./test/mutants -only 'gate.*save' those whose name matches
//	go run ./test/mutants -run 'TestLease'   by these tests alone, to see whether a new one kills what it is for
//	go run ./test/mutants -list              their names
//
// All mutants are in one build, each behind a condition (live.On), so that one costs no more than
// the tests that kill it. The checkout is not touched: go build -overlay takes the rewritten files
// from a temporary folder. First every test runs without a mutant and notes which mutants it
// reaches; -survey FILE keeps that for the next run, which repeats it for tests that are new. Then
// each mutant meets the tests that reach it: every unit test; one seed of each story, those first
// that have killed the most mutants of this file for the time they take, for 30 s of CPU time at
// most, which leaves out only what is very slow; five seeds of the eight stories that reach the
// most.
//
//	generate.go    mutants from the syntax, and how they are put into a file
//	table.go       the files, the kinds, and mutants by hand
//	equivalent.go  mutants that change nothing that matters, each with its reason
//	known.go       survivors that no test kills so far
//	build.go       one build of all mutants
//	survey.go      which test reaches which mutant
//	judge.go       the tests that a mutant meets
//
// A mutant that no test kills is a survivor: the exit code is 1. It gets a test, or, where it
// changes nothing, a line in equivalent.go. The list in known.go only gets shorter; with a budget
// its mutants are not tried, because they would use it up.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	budget    time.Duration
	only, run regexp.Regexp
	kinds     string
	seeds     int
	survey    string
	order     uint64
	list      bool
	verbose   bool
}

func main() {
	var o options
	flag.DurationVar(&o.budget, "budget", 0, "how long it may take; 0: as long as all mutants take")
	flag.TextVar(&o.only, "only", regexp.MustCompile(""), "mutants whose name matches this `pattern`")
	flag.TextVar(&o.run, "run", regexp.MustCompile(""), "only tests whose name matches this `pattern`")
	flag.StringVar(&o.kinds, "kinds", "table,persist,delay,age,epoch,fence,search", "the kinds of mutants to try; other: those that break no promise")
	flag.IntVar(&o.seeds, "n", 5, "seeds that a few stories get before a mutant counts as a survivor")
	flag.StringVar(&o.survey, "survey", "", "a `file` that keeps which test reaches what, for the next run")
	flag.Uint64Var(&o.order, "seed", uint64(time.Now().Unix()/86400), "the order of the mutants; by default another one every day")
	flag.BoolVar(&o.list, "list", false, "print the mutants and end")
	flag.BoolVar(&o.verbose, "v", false, "also print each mutant that is killed, and by which test")
	flag.Parse()
	// which ends the tests, too
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	survivors, err := run(ctx, &o)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case survivors > 0:
		os.Exit(1)
	}
}

// run judges the mutants that are asked for, and returns how many survived that are not known to.
func run(ctx context.Context, o *options) (survivors int, err error) {
	began := time.Now()
	top, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return 0, fmt.Errorf("find the top of the repository: %w", err)
	}
	scratch, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	b := &bench{top: strings.TrimSpace(string(top)), scratch: scratch, only: &o.run, saved: o.survey, seeds: o.seeds, records: map[recordKey]record{}}
	all, rewritten, err := collect(b.top)
	if err != nil {
		return 0, err
	}
	var chosen []mutant
	for _, m := range all {
		if o.budget > 0 && slices.Contains(survivorsKnown, m.name) {
			continue // it would only use up the time
		}
		if equivalent[m.name] == "" && o.only.MatchString(m.name) && slices.ContainsFunc(kinds(m), func(k string) bool { return slices.Contains(strings.Split(o.kinds, ","), k) }) {
			chosen = append(chosen, m)
		}
	}
	if o.list {
		for _, m := range chosen {
			fmt.Println(m.name)
		}
		return 0, nil
	}
	if err := b.build(ctx, rewritten); err != nil {
		return 0, err
	}
	fmt.Printf("%d mutants in %d files; %d to try, in order %d; built in %v\n", len(all), len(rewritten), len(chosen), o.order, time.Since(began).Round(time.Second))
	if err := b.survey(ctx, all); err != nil {
		return 0, err
	}
	fmt.Printf("every test passes without a mutant; surveyed after %v\n", time.Since(began).Round(time.Second))
	rand.New(rand.NewPCG(o.order, 0)).Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	if o.budget > 0 {
		var cancel func()
		ctx, cancel = context.WithDeadline(ctx, began.Add(o.budget))
		defer cancel()
	}
	var (
		mu       sync.Mutex
		verdicts []verdict
	)
	err = inParallel(chosen, func(_ int, m mutant) error {
		if ctx.Err() != nil {
			return nil
		}
		v := b.judge(ctx, m)
		mu.Lock()
		defer mu.Unlock()
		if v.killer == "" && ctx.Err() != nil { // not every test ran
			return nil
		}
		verdicts = append(verdicts, v)
		switch {
		case v.killer == "":
			fmt.Printf("SURVIVED %s (%d of the %d tests that reach it, in %v)\n", v.name, v.tried, v.reached, v.took.Round(time.Millisecond))
		case o.verbose:
			fmt.Printf("killed   %s by %s (%d of %d tests, in %v)\n", v.name, v.killer, v.tried, v.reached, v.took.Round(time.Millisecond))
		}
		return nil
	})
	if len(verdicts) == 0 && len(chosen) > 0 && err == nil {
		return 0, fmt.Errorf("the budget of %v was over before any mutant was tried", o.budget)
	}
	return report(verdicts, len(chosen), o.order), err
}

// report prints the outcome of the mutants, by file, and how to replay each unknown survivor. It
// returns the number of these.
func report(all []verdict, chosen int, order uint64) (survivors int) {
	type score struct{ killed, survived, known int }
	var sum score
	scores := map[string]*score{}
	for _, v := range all {
		s := scores[v.file]
		if s == nil {
			s = &score{}
			scores[v.file] = s
		}
		switch {
		case v.killer != "":
			s.killed++
			sum.killed++
		case slices.Contains(survivorsKnown, v.name):
			s.known++
			sum.known++
		default:
			s.survived++
			sum.survived++
		}
	}
	fmt.Printf("\n%-40s %8s %8s %8s\n", "file", "killed", "known", "survived")
	for _, path := range slices.Sorted(maps.Keys(scores)) {
		fmt.Printf("%-40s %8d %8d %8d\n", path, scores[path].killed, scores[path].known, scores[path].survived)
	}
	fmt.Printf("%-40s %8d %8d %8d\n%d not reached within the budget\n", "all", sum.killed, sum.known, sum.survived, chosen-len(all))
	slices.SortFunc(all, func(a, b verdict) int { return a.number - b.number })
	for _, v := range all {
		if v.killer == "" && !slices.Contains(survivorsKnown, v.name) {
			fmt.Printf("\nSURVIVOR %s\n", v.name)
			if v.breaks != "" {
				fmt.Printf("  it breaks: %s\n", v.breaks)
			}
			fmt.Printf("  again: go run ./test/mutants -seed %d -only '^%s$'\n", order, strings.ReplaceAll(regexp.QuoteMeta(v.name), "'", "."))
		}
	}
	return sum.survived
}
