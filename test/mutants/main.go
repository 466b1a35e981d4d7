// Mutants checks the tests: it puts small faults into the code that carries an invariant, one at a time, and wants a test to fail for each.
//
//	go run ./test/mutants                    every mutant
//	go run ./test/mutants -budget 5m         a sample that changes every day, in five minutes
//	go run ./test/mutants -only 'gate.*save' those whose name matches
//	go run ./test/mutants -list              their names
//
// All mutants are in one build, each behind a condition (live.On), so that one costs no more than the tests that kill it. The checkout is not touched: go build -overlay takes
// the rewritten files from a temporary folder. First every test runs without a mutant and notes which mutants it reaches; then each mutant meets the tests that reach it, the
// unit tests first, then one seed of each story, then more.
//
//	generate.go    mutants from the syntax, and how they are put into a file
//	table.go       the files, and mutants by hand
//	equivalent.go  mutants that change nothing that matters, each with its reason
//	run.go         build, survey, judge
//
// A mutant that no test kills is a survivor: the exit code is 1. It gets a test, or, where it changes nothing, a line in equivalent.go.
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

func main() {
	var (
		budget = flag.Duration("budget", 0, "how long it may take; 0: as long as all mutants take")
		only   = flag.String("only", "", "mutants whose name matches this pattern")
		every  = flag.Bool("all", false, "also mutants of no kind that must not live")
		seeds  = flag.Int("n", 10, "seeds of each story before a mutant counts as a survivor")
		day    = flag.Uint64("seed", uint64(time.Now().Unix()/86400), "the order of the mutants; by default another one every day")
		loud   = flag.Bool("v", false, "also print each mutant that is killed, and by which test")
		names  = flag.Bool("list", false, "print the mutants and end")
	)
	flag.Parse()
	survivors, err := run(*budget, *only, *every, *seeds, *day, *names, *loud)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case survivors > 0:
		os.Exit(1)
	}
}

func run(budget time.Duration, only string, every bool, seeds int, day uint64, names, loud bool) (survivors int, err error) {
	began, ctx := time.Now(), context.Background()
	pattern, err := regexp.Compile(only)
	if err != nil {
		return 0, fmt.Errorf("-only: %w", err)
	}
	top, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return 0, fmt.Errorf("find the top of the repository: %w", err)
	}
	scratch, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	b := &bench{top: strings.TrimSpace(string(top)), scratch: scratch, seeds: seeds}
	all, rewritten, err := collect(b.top)
	if err != nil {
		return 0, err
	}
	var chosen []mutant
	for _, m := range all {
		if equivalent[m.name] == "" && pattern.MatchString(m.name) && (every || promised(m)) {
			chosen = append(chosen, m)
		}
	}
	if names {
		for _, m := range chosen {
			fmt.Println(m.name)
		}
		return 0, nil
	}
	if err := b.build(ctx, rewritten); err != nil {
		return 0, err
	}
	fmt.Printf("%d mutants in %d files, %d of them equivalent; %d chosen, order %d; built in %v\n",
		len(all), len(rewritten), len(equivalent), len(chosen), day, time.Since(began).Round(time.Second))
	if err := b.survey(ctx); err != nil {
		return 0, err
	}
	fmt.Printf("every test passes without a mutant; surveyed at %v\n", time.Since(began).Round(time.Second))
	order := rand.New(rand.NewPCG(day, 0))
	order.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	var (
		mu       sync.Mutex
		verdicts []verdict
		over     = func() bool { return budget > 0 && time.Since(began) > budget }
	)
	_ = inParallel(chosen, func(_ int, m mutant) error {
		if over() {
			return nil
		}
		v := b.judge(ctx, m)
		mu.Lock()
		defer mu.Unlock()
		verdicts = append(verdicts, v)
		switch {
		case v.killer == "":
			fmt.Printf("SURVIVED %s (%d tests reach it)\n", v.name, v.reached)
		case loud:
			fmt.Printf("killed   %s by %s in %v\n", v.name, v.killer, v.took.Round(time.Millisecond))
		}
		return nil
	})
	return report(verdicts, len(chosen), day), nil
}

// report prints what became of the mutants, by file, and how to see each survivor again.
func report(all []verdict, chosen int, day uint64) (survivors int) {
	type score struct{ killed, survived int }
	scores := map[string]*score{}
	slices.SortFunc(all, func(a, b verdict) int { return a.number - b.number })
	for _, v := range all {
		s := scores[v.file]
		if s == nil {
			s = &score{}
			scores[v.file] = s
		}
		if v.killer == "" {
			s.survived++
			survivors++
		} else {
			s.killed++
		}
	}
	fmt.Printf("\n%-40s %8s %8s\n", "file", "killed", "survived")
	for _, path := range slices.Sorted(maps.Keys(scores)) {
		fmt.Printf("%-40s %8d %8d\n", path, scores[path].killed, scores[path].survived)
	}
	fmt.Printf("%d killed, %d survived, %d not reached within the budget\n", len(all)-survivors, survivors, chosen-len(all))
	for _, v := range all {
		if v.killer == "" {
			fmt.Printf("\nSURVIVOR %s\n", v.name)
			if v.breaks != "" {
				fmt.Printf("  it breaks: %s\n", v.breaks)
			}
			fmt.Printf("  again: go run ./test/mutants -seed %d -only '^%s$'\n", day, strings.ReplaceAll(regexp.QuoteMeta(v.name), "'", "."))
		}
	}
	return survivors
}
