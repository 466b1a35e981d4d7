package main

import (
	"errors"
	"testing"
	"time"
)

// A story that killed mutants of the same file goes first, and one that ran and killed none
// goes last; of equal ones, the quicker goes first.
func TestLikeliest(t *testing.T) {
	s := &suite{pkg: storiesPackage}
	slow, fast, killer, idle := &test{suite: s, name: "TestSlow", at: 0, took: time.Second}, &test{suite: s, name: "TestFast", at: 1, took: 100 * time.Millisecond},
		&test{suite: s, name: "TestKiller", at: 2, took: 100 * time.Millisecond}, &test{suite: s, name: "TestIdle", at: 3, took: 100 * time.Millisecond}
	b := &bench{records: map[recordKey]record{}}
	here, elsewhere := mutant{file: "actors/gate.go"}, mutant{file: "actors/halt.go"}
	order := func(m mutant) (names string) {
		for _, one := range b.likeliest(m, []*test{slow, idle, killer, fast}) {
			names += one.name + " "
		}
		return names
	}
	b.note(here, []*test{idle, killer, slow}, "")
	b.note(here, []*test{idle}, "")
	b.note(here, []*test{slow, killer}, "TestKiller") // after slow, in the order of the suite
	if got, want := order(here), "TestKiller TestFast TestIdle TestSlow "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := order(elsewhere), "TestIdle TestKiller TestFast TestSlow "; got != want {
		t.Errorf("of another file: got %s, want %s", got, want)
	}
}

func TestWithin(t *testing.T) {
	tests := []*test{{took: 3 * time.Second}, {took: 2 * time.Second}, {took: time.Second}}
	for all, want := range map[time.Duration]int{time.Second: 1, 4 * time.Second: 1, 5 * time.Second: 2, time.Minute: 3} {
		if got := len(within(tests, all)); got != want {
			t.Errorf("%v: %d tests, want %d", all, got, want)
		}
	}
	if got := within(nil, time.Second); len(got) > 0 {
		t.Errorf("of none: %v", got)
	}
}

func TestFirstFailure(t *testing.T) {
	for name, c := range map[string]struct{ out, want string }{
		"a test that fails":     {"=== x\n--- FAIL: TestA (0.00s)\n--- FAIL: TestB (0.00s)\n", "TestA"},
		"one that never ends":   {"panic: test timed out after 30s\n\trunning tests:\n\t\tTestC (29s)\n", "TestC"},
		"a panic of an actor":   {"panic: nil map\n\ngoroutine 7\n", "panic: nil map"},
		"its process is killed": {"", "signal: killed"},
	} {
		if got := firstFailure([]byte(c.out), errors.New("signal: killed")); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
