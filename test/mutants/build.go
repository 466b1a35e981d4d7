package main

import (
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
	"strings"
	"sync"
)

const storiesPackage = "test/scenarios"

// suite is one package's tests, built with every mutant in it.
type suite struct {
	pkg    string // from the top
	binary string
	tests  []*test
}

// bench holds everything that is built for one run of this tool.
type bench struct {
	top     string
	scratch string
	suites  []*suite       // the stories last
	only    *regexp.Regexp // of the tests
	saved   string         // the file of the survey; "" for none
	seeds   int            // that some stories get in the end

	mu      sync.Mutex
	records map[recordKey]record
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
	var packages []string
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
	slices.Sort(packages)
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return err
	}
	file := filepath.Join(b.scratch, "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		return err
	}
	for i, pkg := range append(packages, storiesPackage) {
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
