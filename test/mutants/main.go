// Mutants checks the tests: it puts small faults into the code that carries an invariant, one at a
// time, and wants a test to fail for each.
//
//	go run ./test/mutants                    every mutant
//	go run ./test/mutants -budget 5m         a sample that changes every day, in five minutes
//	go run ./test/mutants -only 'gate.*save' those whose name matches
//	go run ./test/mutants -run 'TestLease'   by these tests alone, to see whether a new one kills what it is for
//	go run ./test/mutants -list              their names
//
// All mutants are in one build, each behind a condition (live.On), so that one costs no more than
// the tests that kill it. The checkout is not touched: go build -overlay takes the rewritten files
// from a temporary folder. First every test runs without a mutant and notes which mutants it
// reaches; then each mutant meets the tests that reach it, the unit tests first, then one seed of
// each story, then more.
//
//	generate.go    mutants from the syntax, and how they are put into a file
//	table.go       the files, and mutants by hand
//	equivalent.go  mutants that change nothing that matters, each with its reason
//	known.go       survivors that no test kills so far
//	run.go         build, survey, judge
//
// A mutant that no test kills is a survivor: the exit code is 1. It gets a test, or, where it
// changes nothing, a line in equivalent.go. The list in known.go only gets shorter.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// options are the flags.
type options struct {
	budget    time.Duration
	only, run regexp.Regexp
	kinds     string
	seeds     int
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
	flag.IntVar(&o.seeds, "n", 10, "seeds of each story before a mutant counts as a survivor")
	flag.Uint64Var(&o.order, "seed", uint64(time.Now().Unix()/86400), "the order of the mutants; by default another one every day")
	flag.BoolVar(&o.list, "list", false, "print the mutants and end")
	flag.BoolVar(&o.verbose, "v", false, "also print each mutant that is killed, and by which test")
	flag.Parse()
	switch survivors, err := run(context.Background(), &o); {
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
	b := &bench{top: strings.TrimSpace(string(top)), scratch: scratch, seeds: o.seeds, only: &o.run}
	all, rewritten, err := collect(b.top)
	if err != nil {
		return 0, err
	}
	var chosen []mutant
	for _, m := range all {
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
	if err := b.survey(ctx); err != nil {
		return 0, err
	}
	fmt.Printf("every test passes without a mutant; surveyed after %v\n", time.Since(began).Round(time.Second))
	rand.New(rand.NewPCG(o.order, 0)).Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	var (
		mu       sync.Mutex
		verdicts []verdict
	)
	err = inParallel(chosen, func(_ int, m mutant) error {
		if o.budget > 0 && time.Since(began) > o.budget {
			return nil
		}
		v := b.judge(ctx, m)
		mu.Lock()
		defer mu.Unlock()
		verdicts = append(verdicts, v)
		switch {
		case v.killer == "":
			fmt.Printf("SURVIVED %s (%d tests reach it)\n", v.name, v.reached)
		case o.verbose:
			fmt.Printf("killed   %s by %s in %v\n", v.name, v.killer, v.took.Round(time.Millisecond))
		}
		return nil
	})
	return report(verdicts, len(chosen), o.order), err
}

// report prints what became of the mutants, by file, and how to see each survivor again that is not
// known. It returns how many of these there are.
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
