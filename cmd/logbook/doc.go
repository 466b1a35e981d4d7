// Package logbook writes the log of this process and prints the output of its bots, both without
// the secrets that this process knows.
//
//	log.go                              the log: its level, its format, its last line; the secrets
//	queue.go                            the lines that wait for a slow reader; how many were lost
//	output.go                           bots' lines with the numbers of their clusters
//	show.go                             bots' output as it grows
package logbook
