// Package demo runs a simulated Discord, MASTER, several CONTROLs and real cluster processes on
// this machine.
//
//	demo.go                             start, faults, score, stop
//	machine.go                          a machine that dies
//	processes.go                        the bots' processes
//	view.go                             what is shown
package demo
