package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/discluster/control/test/mutants/live"
)

const storiesPackage = "test/scenarios"

// suite is one package's tests, built with every mutant in it.
type suite struct {
	pkg    string // from the top
	binary string
	tests  []*test
}

// test is one test of a suite, and the mutants whose code it runs.
type test struct {
	suite   *suite
	name    string
	took    time.Duration // CPU time of two seeds
	reaches map[int]bool
}

// bench is everything that is built for one run of this tool.
type bench struct {
	top     string
	scratch string
	suites  []*suite
	seeds   int
	only    *regexp.Regexp // of the tests
}

// collect returns every mutant of the repository at top, and the files rewritten with them. An
// anchor of the tables that fits nowhere, or twice, is an error.
func collect(top string) (all []mutant, rewritten map[string][]byte, err error) {
	files := map[string]*file{}
	var wrong []error
	for _, pattern := range carriers {
		paths, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			return nil, nil, err
		}
		if len(paths) == 0 {
			wrong = append(wrong, fmt.Errorf("carriers: no file is %s", pattern))
		}
		for _, path := range paths {
			rel, _ := filepath.Rel(top, path)
			if strings.HasSuffix(rel, "_test.go") || files[rel] != nil || slices.Contains(bystanders, rel) {
				continue
			}
			if ok, err := build.Default.MatchFile(filepath.Dir(path), filepath.Base(path)); err != nil || !ok {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, nil, err
			}
			if files[rel], err = parse(rel, text); err != nil {
				return nil, nil, err
			}
			files[rel].generate()
		}
	}
	for _, m := range table {
		if files[m.file] == nil {
			wrong = append(wrong, fmt.Errorf("mutant %q: no carrier is %s", m.name, m.file))
		} else if err := files[m.file].apply(m); err != nil {
			wrong = append(wrong, err)
		}
	}
	rewritten = map[string][]byte{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		mutants, text, err := files[path].rewrite(len(all))
		if err != nil {
			return nil, nil, err
		}
		if len(mutants) > 0 {
			all = append(all, mutants...)
			rewritten[path] = text
		}
	}
	for name := range equivalent {
		if !slices.ContainsFunc(all, func(m mutant) bool { return m.name == name }) {
			wrong = append(wrong, fmt.Errorf("equivalent: no mutant is named %q", name))
		}
	}
	return all, rewritten, errors.Join(wrong...)
}

// build builds the tests of every package that has mutants, and the stories: once for all mutants,
// and without touching the checkout.
func (b *bench) build(ctx context.Context, rewritten map[string][]byte) error {
	overlay := map[string]string{}
	packages := []string{storiesPackage}
	for path, text := range rewritten {
		copied := filepath.Join(b.scratch, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			return err
		}
		overlay[filepath.Join(b.top, path)] = copied
		if dir := filepath.Dir(path); !slices.Contains(packages, dir) {
			packages = append(packages, dir)
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return err
	}
	file := filepath.Join(b.scratch, "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		return err
	}
	for i, pkg := range packages {
		s := &suite{pkg: pkg, binary: filepath.Join(b.scratch, fmt.Sprintf("%d.test", i))}
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", file, "-o", s.binary, "./"+pkg)
		cmd.Dir = b.top
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s with its mutants: %w\n%s", pkg, err, out)
		}
		if _, err := os.Stat(s.binary); err == nil { // a package may have no test
			b.suites = append(b.suites, s)
		}
	}
	return nil
}

// survey runs every test without a mutant: it must pass, and tells which mutants it reaches.
func (b *bench) survey(ctx context.Context) error {
	var all []*test
	for _, s := range b.suites {
		out, err := b.command(ctx, s, live.None, "-test.list", ".").Output()
		if err != nil {
			return fmt.Errorf("list the tests of %s: %w", s.pkg, err)
		}
		for name := range strings.Lines(string(out)) {
			if name = strings.TrimSpace(name); strings.HasPrefix(name, "Test") && b.only.MatchString(name) {
				s.tests = append(s.tests, &test{suite: s, name: name, reaches: map[int]bool{}})
			}
		}
		all = append(all, s.tests...)
	}
	return inParallel(all, func(i int, t *test) error {
		file := filepath.Join(b.scratch, fmt.Sprintf("reached.%d", i))
		var cmd *exec.Cmd
		for tries := 2; ; tries-- { // one that starts processes may be late on a busy machine
			cmd = b.command(ctx, t.suite, live.None, "-test.run", "^"+t.name+"$", "-test.timeout", "5m")
			cmd.Env = append(cmd.Env, live.Reached+"="+file, "SIM_N=2")
			out, err := cmd.CombinedOutput()
			if err == nil {
				break
			}
			if tries == 1 {
				return fmt.Errorf("%s fails without any mutant: %w\n%s", t.name, err, tail(out))
			}
		}
		t.took = cmd.ProcessState.UserTime()
		reached, err := os.Open(file)
		if err != nil {
			return nil // it reaches none
		}
		defer reached.Close()
		for lines := bufio.NewScanner(reached); lines.Scan(); {
			n, _ := strconv.Atoi(lines.Text())
			t.reaches[n] = true
		}
		return nil
	})
}

func (b *bench) command(ctx context.Context, s *suite, mutant int, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Dir = filepath.Join(b.top, s.pkg)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", live.Chosen, mutant))
	return cmd
}

// verdict is what became of a mutant.
type verdict struct {
	mutant
	killer  string // the first test that failed; "" where none did
	reached int    // tests that ran its code
	took    time.Duration
}

// quick is what a test may cost to be tried with every mutant that it reaches; a costlier one is
// tried only where few others reach it.
const (
	quick = time.Second
	few   = 5
)

// judge runs the tests that reach a mutant until one fails: the unit tests, one seed of each story,
// then as many as asked for.
func (b *bench) judge(ctx context.Context, m mutant) verdict {
	v := verdict{mutant: m}
	began := time.Now()
	defer func() { v.took = time.Since(began) }()
	for _, round := range []struct {
		stories, again bool
		seeds          int
	}{{seeds: 1}, {stories: true, seeds: 1}, {stories: true, again: true, seeds: b.seeds}} {
		for _, s := range b.suites {
			if (s.pkg == storiesPackage) != round.stories || round.again && b.seeds == 1 {
				continue
			}
			tests := s.reaching(m.number)
			v.reached = max(v.reached, len(tests))
			if len(tests) == 0 {
				continue
			}
			if v.killer = b.fails(ctx, s, tests, m.number, round.seeds); v.killer != "" {
				return v
			}
		}
	}
	return v
}

// reaching is the tests to try with a mutant.
func (s *suite) reaching(mutant int) []*test {
	var all, cheap []*test
	for _, t := range s.tests {
		if t.reaches[mutant] {
			all = append(all, t)
			if t.took < quick {
				cheap = append(cheap, t)
			}
		}
	}
	if len(cheap) < few {
		return all
	}
	return cheap
}

// fails runs tests with a mutant and says which one failed first; "" for none.
func (b *bench) fails(ctx context.Context, s *suite, tests []*test, mutant, seeds int) (killer string) {
	var names []string
	usual := time.Duration(0)
	for _, t := range tests {
		names = append(names, t.name)
		usual += t.took
	}
	limit := time.Minute + 10*usual*time.Duration(seeds)
	cmd := b.command(ctx, s, mutant, "-test.run", "^("+strings.Join(names, "|")+")$", "-test.failfast", "-test.timeout", limit.String())
	cmd.Env = append(cmd.Env, fmt.Sprintf("SIM_N=%d", seeds))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	return firstFailure(out, err)
}

var failed = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

func firstFailure(out []byte, err error) string {
	if name := failed.FindSubmatch(out); name != nil {
		return string(name[1])
	}
	if bytes.Contains(out, []byte("test timed out")) {
		return "a test that never ends"
	}
	if i := bytes.Index(out, []byte("panic: ")); i >= 0 {
		line, _, _ := bytes.Cut(out[i:], []byte("\n"))
		return string(line)
	}
	return err.Error()
}

// tail is the end of an output.
func tail(out []byte) []byte { return out[max(0, len(out)-4000):] }

// inParallel does something for each of all, some at a time, and returns the first error.
func inParallel[T any](all []T, do func(i int, one T) error) error {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		next   int
		failed error
	)
	for range max(runtime.NumCPU(), 1) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := failed != nil || i >= len(all)
				mu.Unlock()
				if stop {
					return
				}
				if err := do(i, all[i]); err != nil {
					mu.Lock()
					failed = cmp.Or(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failed
}
