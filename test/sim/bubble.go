package sim

import (
	"os"
	"testing"
	"testing/synctest"
)

// Bubble runs fn in a testing/synctest bubble, for a program that is no test; one may do it once. Nothing of the testing package is seen: it is given no arguments, and
// its own end, which would be the program's, never comes.
func Bubble(fn func()) {
	args, done := os.Args, make(chan struct{})
	os.Args = args[:1:1]
	one := testing.InternalTest{Name: "bubble", F: func(t *testing.T) {
		os.Args = args
		synctest.Test(t, func(*testing.T) { fn() })
		close(done)
		select {}
	}}
	go testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{one}, nil, nil)
	<-done
}
