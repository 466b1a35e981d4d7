package sim

import (
	"os"
	"testing"
	"testing/synctest"
)

// Bubble runs fn in a testing/synctest bubble, for a program that is not a test, which may do so
// once. The testing package stays invisible: it gets no arguments, and its own end, which would end
// the program, never comes.
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
