package main

import (
	"go/format"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The lists here fit the code: a mutant of the table finds its text, an equivalent one its name.
func TestListsFitTheCode(t *testing.T) {
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	all, rewritten, err := collect(top)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range all {
		if m.number != i {
			t.Fatalf("mutant %q has number %d, and is at %d", m.name, m.number, i)
		}
	}
	for path, text := range rewritten {
		if _, err := format.Source(text); err != nil {
			t.Errorf("%s with its mutants: %v", path, err)
		}
	}
	for kind := range promises {
		if !slices.ContainsFunc(all, func(m mutant) bool { return slices.Contains(kinds(m), kind) }) {
			t.Errorf("no mutant is of the kind %s", kind)
		}
	}
}

const sample = `package p

func (t *T) f(a, b bool) {
	if a && b {
		t.save()
	}
	t.In(ctx, x+y)
}

func white(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Z) } // no timer
`

func TestGenerate(t *testing.T) {
	f, err := parse("p.go", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	f.generate()
	if err := f.apply(byHand{name: "saves twice", file: "p.go", in: "T.f", from: "t.save()", to: "t.save(); t.save()"}); err != nil {
		t.Fatal(err)
	}
	all, text, err := f.rewrite(7)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range all {
		names = append(names, m.name)
	}
	want := []string{
		"p.go T.f: drop `t.In(ctx, x+y)`",
		"p.go T.f: if true `a && b`", "p.go T.f: if false `a && b`", "p.go T.f: without `a`", "p.go T.f: without `b`",
		"p.go T.f: drop `t.save()`",
		"p.go T.f: never wait `x+y`", "p.go T.f: wait long `x+y`", "p.go T.f: wait without `x`", "p.go T.f: wait without `y`",
		"p.go T.f: saves twice",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %q\nwant %q", names, want)
	}
	for _, line := range []string{
		`if (live.On(8) || (!live.On(9) && ((live.On(10) || a) && (live.On(11) || b)))) {`,
		`if !live.On(12) { if live.On(17) { t.save(); t.save() } else { t.save() } }`,
		`if !live.On(7) { t.In(ctx, live.Times(13, 0, live.Times(14, 20, live.Times(15, 0, x)+live.Times(16, 0, y)))) }`,
	} {
		if !strings.Contains(string(text), line) {
			t.Errorf("no line is %s:\n%s", line, text)
		}
	}
}

// A mutant by hand whose text is not there, or twice, is an error that names it.
func TestApplyNamesWhatDoesNotFit(t *testing.T) {
	for name, m := range map[string]byHand{
		"no such function": {in: "T.g", from: "t.save()"},
		"no such text":     {in: "T.f", from: "t.load()"},
		"more than once":   {in: "T.f", from: "ctx.Send(x)"},
		"nothing":          {in: "T.f"},
	} {
		f, err := parse("p.go", []byte("package p\nfunc (t *T) f() { ctx.Send(x); t.save(); ctx.Send(x) }"))
		if err != nil {
			t.Fatal(err)
		}
		m.name, m.file = name, "p.go"
		if err := f.apply(m); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestKinds(t *testing.T) {
	for name, want := range map[string]string{
		"actors/gate/gate.go G.f: drop `g.save(ctx)`":                                       "persist",
		"actors/gate/gate.go G.f: never wait `time.Second`":                                 "delay",
		"actors/gate/gate.go G.f: drop `g.In(ctx, time.Second)`":                            "delay",
		"actors/gate/gate.go G.f: drop `g.After(ctx, wait, ripe{g.run})`":                   "delay",
		"actors/gate/gate.go G.f: if true `at.After(latest)`":                               "age",
		"actors/plan/place.go counts: drop `all[order[0]] += left`":                         "other",
		"actors/link/settings.go M.f: if true `p.Epoch < m.memory.Epoch`":                   "epoch",
		"actors/link/settings.go M.f: drop `m.raise(ctx, messages.Linked{Epoch: s.Epoch})`": "other",
		"actors/cluster/cluster.go C.f: if true `m.run == c.run.Instance`":                  "fence",
		"actors/cluster/cluster.go C.f: case false `m.link != c.link`":                      "fence",
		"actors/cluster/cluster.go C.f: drop `c.run = plan.Run{}`":                          "fence",
		"actors/cluster/cluster.go C.f: drop `send(woke{run})`":                             "other",
		"actors/link/halt.go M.f: drop `ctx.Send(f.governor, halted{})`":                    "fence",
		"actors/cluster/search.go C.f: case true `errors.Is(err, errUnsupported)`":          "search",
		"actors/cluster/cluster.go C.f: if false `c.adopted`":                               "search",
		"actors/link/orders.go M.f: case true `errors.Is(err, transport.ErrTooLarge)`":      "other",
	} {
		if got := strings.Join(kinds(mutant{name: name}), ","); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got := kinds(mutant{name: "actors/gate/gate.go G.f: saves twice", breaks: "a promise"}); !slices.Equal(got, []string{"table"}) {
		t.Errorf("by hand: got %v", got)
	}
}
