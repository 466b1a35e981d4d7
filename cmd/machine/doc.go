// Package machine is the World of this machine: the effects that actors have on it.
//
//	machine.go                          the World, and its end
//	folder.go                           small files that are replaced whole
//	folderlock.go                       the lock of a state folder
//	tokenlock.go, tokenlock_linux.go, tokenlock_other.go   the lock of a bot's token
//	links.go                            connections, counted for /metrics
//	mailboxes.go                        messages that wait, counted for /metrics
//	fetch.go                            HTTP requests
//	grep.go                             waits for a line of a file
//	hook.go                             the operator's commands
//	snapshots.go                        snapshots of gateway hosts, copied from machine to machine
//	pressure.go                         whether the machine is short of CPU time
//	systemd.go                          notifications to systemd
//
// The order of a run: LockFolder and LockToken, New, the actors, Close.
package machine
