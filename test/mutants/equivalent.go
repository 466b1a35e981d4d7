package main

// equivalent are mutants that change nothing that matters, each with the reason why no test can or should kill it.
var equivalent = map[string]string{}
