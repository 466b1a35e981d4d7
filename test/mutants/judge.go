package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// verdict is the outcome of a mutant.
type verdict struct {
	mutant
	killer  string // the first test that failed; "" where none did
	tried   int    // tests that ran with it
	reached int    // tests that run its code
	took    time.Duration
}

const (
	atOnce = 6                // stories that share a process, which takes as long to start as a short one runs
	most   = 30 * time.Second // CPU time that stories take at one seed each, as measured without a mutant
	again  = 8                // stories that get more seeds
	quick  = time.Second      // CPU time of a test that others do not have to wait for
)

// judge runs tests that reach a mutant until one fails: every unit test, those of its own package
// first; then one seed of each story, the likeliest to kill it first, as many as take most; then
// b.seeds seeds of again of these, the quick ones that reach the most mutants, because they leave
// much to chance.
func (b *bench) judge(ctx context.Context, m mutant) verdict {
	began := time.Now()
	v := verdict{mutant: m}
	try := func(tests []*test, seeds int) bool {
		if len(tests) > 0 {
			v.killer = b.fails(ctx, tests, m.number, seeds)
			b.note(m, tests, v.killer)
		}
		v.took = time.Since(began)
		return v.killer != ""
	}
	var stories []*test
	for _, s := range b.ownFirst(m) {
		tests := s.reaching(m.number)
		v.reached += len(tests)
		if s.pkg == storiesPackage {
			stories = b.likeliest(m, tests)
			continue
		}
		v.tried += len(tests)
		if fast, slow := bySpeed(tests); try(fast, 1) || try(slow, 1) {
			return v
		}
	}
	for some := range slices.Chunk(within(stories, most), atOnce) {
		if v.tried += len(some); try(some, 1) {
			return v
		}
	}
	fast, _ := bySpeed(stories)
	slices.SortStableFunc(fast, func(x, y *test) int { return len(y.reaches) - len(x.reaches) })
	for _, one := range fast[:min(len(fast), again)] {
		if b.seeds > 1 && try([]*test{one}, b.seeds) {
			return v
		}
	}
	return v
}

// bySpeed separates the quick tests from the others.
func bySpeed(tests []*test) (fast, slow []*test) {
	for _, t := range tests {
		if t.took < quick {
			fast = append(fast, t)
		} else {
			slow = append(slow, t)
		}
	}
	return fast, slow
}

// within returns as many of the first tests as take all in total; one at least.
func within(tests []*test, all time.Duration) []*test {
	for i, t := range tests {
		if all -= t.took; all < 0 {
			return tests[:max(i, 1)]
		}
	}
	return tests
}

// ownFirst returns the suites, that of the mutant's package first.
func (b *bench) ownFirst(m mutant) []*suite {
	own := func(s *suite) int {
		if strings.HasPrefix(m.file, s.pkg+"/") && strings.Count(m.file, "/") == strings.Count(s.pkg, "/")+1 {
			return 0
		}
		return 1
	}
	return slices.SortedStableFunc(slices.Values(b.suites), func(x, y *suite) int { return own(x) - own(y) })
}

// reaching returns the tests that run a mutant's code.
func (s *suite) reaching(mutant int) (all []*test) {
	for _, t := range s.tests {
		if t.reaches[mutant] {
			all = append(all, t)
		}
	}
	return all
}

// record counts a story's results with the mutants of a file: a story that killed some is likely to
// kill others there.
type record struct{ kills, tries float64 }

type recordKey struct {
	story *test
	file  string
}

// likeliest orders stories by how likely each is to kill a mutant, for its time.
func (b *bench) likeliest(m mutant, stories []*test) []*test {
	b.mu.Lock()
	defer b.mu.Unlock()
	chance := func(t *test) float64 {
		r := b.records[recordKey{t, m.file}]
		return (r.kills + 0.1) / (r.tries + 1) / max(t.took, 50*time.Millisecond).Seconds()
	}
	return slices.SortedStableFunc(slices.Values(stories), func(x, y *test) int { return cmp.Compare(chance(y), chance(x)) })
}

// note records the results of tests that ran in one process, one after the other.
func (b *bench) note(m mutant, tests []*test, killer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range slices.SortedFunc(slices.Values(tests), func(x, y *test) int { return x.at - y.at }) {
		key := recordKey{t, m.file}
		r := b.records[key]
		r.tries++
		if t.name == killer {
			r.kills++
		}
		b.records[key] = r
		if t.name == killer {
			return
		}
	}
}

// fails runs tests of one suite with a mutant and returns the first one that failed; "" for none.
func (b *bench) fails(ctx context.Context, tests []*test, mutant, seeds int) (killer string) {
	var names []string
	usual := time.Duration(0)
	for _, t := range tests {
		names = append(names, t.name)
		usual += t.took
	}
	limit := 30*time.Second + 10*usual*time.Duration(seeds)
	cmd := b.command(ctx, tests[0].suite, mutant, "-test.run", "^("+strings.Join(names, "|")+")$", "-test.failfast", "-test.timeout", limit.String())
	cmd.Env = append(cmd.Env, fmt.Sprintf("SIM_N=%d", seeds))
	out, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		return ""
	}
	return firstFailure(out, err)
}

// failed finds the test that failed, or that ran when the time was up.
var failed = regexp.MustCompile(`(?m)^--- FAIL: (\w+)|^\s*running tests:\s+(\w+)`)

func firstFailure(out []byte, err error) string {
	if name := failed.FindSubmatch(out); name != nil {
		return cmp.Or(string(name[1]), string(name[2]))
	}
	if i := bytes.Index(out, []byte("panic: ")); i >= 0 {
		line, _, _ := bytes.Cut(out[i:], []byte("\n"))
		return string(line)
	}
	return err.Error()
}

// tail returns the end of an output.
func tail(out []byte) []byte { return out[max(0, len(out)-4000):] }
