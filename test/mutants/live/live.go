// Package live chooses which mutant of a build is active. Only code that test/mutants has rewritten
// imports it: one build holds every mutant, and the environment picks one.
package live

import (
	"os"
	"strconv"
	"sync"
	"time"
)

// The environment of a run: Chosen holds the number of the one active mutant; Reached names a file
// that gets the number of every mutant whose code ran.
const (
	Chosen  = "MUTANT"
	Reached = "MUTANTS_REACHED"
)

var (
	chosen = number(os.Getenv(Chosen))
	reach  = recorder(os.Getenv(Reached))
)

// None is the number of no mutant.
const None = -1

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return None
	}
	return n
}

// On reports whether the mutant is active.
func On(mutant int) bool {
	if reach != nil {
		reach(mutant)
	}
	return mutant == chosen
}

// Pick returns mutated where the mutant is active, else original.
func Pick[T any](mutant int, original, mutated T) T {
	if On(mutant) {
		return mutated
	}
	return original
}

// Times returns d, multiplied by factor where the mutant is active.
func Times(mutant int, factor int64, d time.Duration) time.Duration {
	return Pick(mutant, d, time.Duration(factor*int64(d)))
}

// recorder returns a function that appends each number to a file, once; nil for no file. It writes
// at once: a test that fails may end its process in any way.
func recorder(file string) func(mutant int) {
	if file == "" {
		return nil
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	known := map[int]bool{}
	return func(mutant int) {
		mu.Lock()
		defer mu.Unlock()
		if !known[mutant] {
			known[mutant] = true
			if _, err := out.WriteString(strconv.Itoa(mutant) + "\n"); err != nil {
				panic(err)
			}
		}
	}
}
