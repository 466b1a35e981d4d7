package main

// equivalent are mutants that change nothing that matters, each with the reason why no test can or
// should kill it.
var equivalent = map[string]string{
	"actors/gate/asking.go Gate.answered: if false `left <= 0`": "its UseBefore has passed, so the bot throws the permit away and asks again",

	"transport/proc/find_linux.go goneOr: without `errors.Is(err, fs.ErrNotExist)`": "where kill finds no process there is none, whatever kept /proc from being read",
	"actors/sessions/sessions.go Book.keeping: never wait `confirmEvery`":           "a book that has just begun has no page to write",
}
