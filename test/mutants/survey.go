package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/discluster/control/test/mutants/live"
)

// test is one test of a suite, and the mutants whose code it runs.
type test struct {
	suite   *suite
	at      int // its place in the suite: the order in which tests run
	name    string
	took    time.Duration // CPU time, of one seed
	reaches map[int]bool
}

// surveyed is a survey's result of one test, for a file: by names, which outlive a change
// elsewhere.
type surveyed struct {
	Took    time.Duration
	Reaches []string
}

// survey runs every test without a mutant: it must pass, and its run shows which mutants it
// reaches. The results of an earlier survey's file are trusted.
func (b *bench) survey(ctx context.Context, mutants []mutant) error {
	known := map[string]surveyed{}
	if text, err := os.ReadFile(b.saved); err == nil {
		if err := json.Unmarshal(text, &known); err != nil {
			return fmt.Errorf("%s: %w", b.saved, err)
		}
	}
	var all []*test
	for _, s := range b.suites {
		out, err := b.command(ctx, s, live.None, "-test.list", ".").Output()
		if err != nil {
			return fmt.Errorf("list the tests of %s: %w", s.pkg, err)
		}
		for name := range strings.Lines(string(out)) {
			if name = strings.TrimSpace(name); strings.HasPrefix(name, "Test") && b.only.MatchString(name) {
				s.tests = append(s.tests, &test{suite: s, at: len(s.tests), name: name, reaches: map[int]bool{}})
			}
		}
		all = append(all, s.tests...)
	}
	numbers := map[string]int{}
	for _, m := range mutants {
		numbers[m.name] = m.number
	}
	var mu sync.Mutex
	err := inParallel(all, func(i int, t *test) error {
		key := t.suite.pkg + " " + t.name
		mu.Lock()
		one, is := known[key]
		mu.Unlock()
		if !is {
			var err error
			if one, err = b.surveyOne(ctx, t, filepath.Join(b.scratch, fmt.Sprintf("reached.%d", i)), mutants); err != nil {
				return err
			}
			mu.Lock()
			known[key] = one
			mu.Unlock()
		}
		t.took = one.Took
		for _, name := range one.Reaches {
			if n, is := numbers[name]; is {
				t.reaches[n] = true
			}
		}
		return nil
	})
	if err != nil || b.saved == "" {
		return err
	}
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return os.WriteFile(b.saved, text, 0o600)
}

func (b *bench) surveyOne(ctx context.Context, t *test, file string, mutants []mutant) (one surveyed, err error) {
	var cmd *exec.Cmd
	for tries := 2; ; tries-- { // one that starts processes may be late on a busy machine
		cmd = b.command(ctx, t.suite, live.None, "-test.run", "^"+t.name+"$", "-test.timeout", "5m")
		cmd.Env = append(cmd.Env, live.Reached+"="+file, "SIM_N=1")
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		if tries == 1 {
			return one, fmt.Errorf("%s fails without any mutant: %w\n%s", t.name, err, tail(out))
		}
	}
	one.Took = cmd.ProcessState.UserTime()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return one, nil // it reaches none
	}
	for line := range strings.Lines(string(text)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			return one, fmt.Errorf("%s: %w", file, err)
		}
		one.Reaches = append(one.Reaches, mutants[n].name)
	}
	return one, err
}

func (b *bench) command(ctx context.Context, s *suite, mutant int, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Dir = filepath.Join(b.top, s.pkg)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a mutant may kill its whole group
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", live.Chosen, mutant))
	return cmd
}
