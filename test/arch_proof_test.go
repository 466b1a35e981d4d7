package test

import (
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestWallsCanFall proves each wall on sources that break it, and on similar ones that do not.
func TestWallsCanFall(t *testing.T) {
	pa := `import "` + protoactor + `/actor"`
	own := func(dir string) string { return `import "` + module + "/" + dir + `"` }
	lines := func(n int) string { return strings.Repeat("\n", n) }
	for _, tc := range []struct {
		wall  string
		name  string
		files map[string]string // path → what follows the package clause; "!" begins a whole text
		want  []string
	}{
		{"imports run one way", "all as it should be", map[string]string{
			"messages/a.go":            `import "time"`,
			"transport/a.go":           own("messages"),
			"transport/ipc/a.go":       own("transport"),
			"transport/bot/a.go":       own("transport/ipc"),
			"actors/plan/a.go":         own("messages"),
			"actors/a.go":              own("actors/cluster"),
			"actors/cluster/a.go":      own("transport/proc"),
			"actors/master/fleet/a.go": own("actors/plan"),
			"actors/master/a.go":       own("actors/world"),
			"actors/world/a.go":        pa,
			"config/a.go":              `import "` + koanf + `/v2"`,
			"cmd/a.go":                 own("test/sim"),
			"cmd/control/main.go":      own("cmd"),
			"test/sim/a.go":            own("actors"),
			"transport/ipc/a_test.go":  own("test/sim"),
		}, nil},
		{"imports run one way", "messages import ours", map[string]string{"messages/a.go": own("transport")},
			[]string{"messages/a.go imports transport; messages/... may import nothing of ours"}},
		{"imports run one way", "messages import a module", map[string]string{"messages/a.go": pa}, []string{"messages/a.go imports " + protoactor + "/actor"}},
		{"imports run one way", "transport imports actors", map[string]string{"transport/ipc/a.go": own("actors/world")},
			[]string{"transport/ipc/a.go imports actors/world; transport/... may import messages, transport/..."}},
		{"imports run one way", "transport imports protoactor", map[string]string{"transport/master/a.go": pa}, []string{"transport/master/a.go imports " + protoactor + "/actor"}},
		{"imports run one way", "the SDK imports a sibling", map[string]string{"transport/bot/a.go": own("transport/proc")},
			[]string{"transport/bot/a.go imports transport/proc; transport/bot/... may import messages, transport, transport/ipc, transport/bot/..."}},
		{"imports run one way", "plan imports world", map[string]string{"actors/plan/a.go": own("actors/world")},
			[]string{"actors/plan/a.go imports actors/world; actors/plan may import messages"}},
		{"imports run one way", "a child imports its parent", map[string]string{"actors/gate/a.go": own("actors")},
			[]string{"actors/gate/a.go imports actors; actors/gate may import messages, actors/plan, actors/world"}},
		{"imports run one way", "status imports config", map[string]string{"actors/status/a.go": own("config")},
			[]string{"actors/status/a.go imports config; actors/status may import messages, actors/plan, actors/world"}},
		{"imports run one way", "actors import a websocket", map[string]string{"actors/a.go": `import "` + websocket + `"`}, []string{"actors/a.go imports " + websocket}},
		{"imports run one way", "test imports config", map[string]string{"test/sim/a.go": own("config")},
			[]string{"test/sim/a.go imports config; test/... may import messages, transport/..., actors/..., cmd/..., test/..."}},
		{"imports run one way", "cmd imports another test package", map[string]string{"cmd/a.go": own("test/mockmaster")},
			[]string{"cmd/a.go imports test/mockmaster; cmd may import messages, transport/..., actors/plan, actors/world, config, cmd/logbook, cmd/machine, cmd/gateway, cmd/daemon, cmd/demo, test/sim/..."}},
		{"imports run one way", "the daemon imports what runs it", map[string]string{"cmd/daemon/a.go": own("cmd/demo"), "cmd/machine/a.go": own("cmd/daemon"), "cmd/logbook/a.go": own("cmd/machine")},
			[]string{
				"cmd/daemon/a.go imports cmd/demo; cmd/daemon may import messages, transport/..., actors/..., config, cmd/logbook, cmd/machine",
				"cmd/logbook/a.go imports cmd/machine; cmd/logbook may import messages, transport/botlog, actors/world, config",
				"cmd/machine/a.go imports cmd/daemon; cmd/machine may import messages, transport/..., actors/world, cmd/logbook",
			}},
		{"imports run one way", "a room parses flags", map[string]string{"cmd/demo/a.go": `import "` + cobra + `/pflag"`}, []string{"cmd/demo/a.go imports " + cobra + "/pflag"}},
		{"imports run one way", "a room that no wall knows", map[string]string{"cmd/util/a.go": ""}, []string{"cmd/util/a.go: a package where none belongs"}},
		{"imports run one way", "main does more than start", map[string]string{"cmd/control/main.go": own("actors")},
			[]string{"cmd/control/main.go imports actors; cmd/control/... may import cmd"}},
		{"imports run one way", "a package of its own", map[string]string{"util/a.go": ""}, []string{"util/a.go: a package where none belongs"}},

		{"the SDK is self-contained", "stdlib and ours", map[string]string{"transport/bot/a.go": own("transport/ipc"), "transport/ipc/a.go": `import "net"`, "transport/proc/a.go": pa}, nil},
		{"the SDK is self-contained", "a module two steps away", map[string]string{"transport/bot/a.go": own("transport/ipc"), "transport/ipc/a.go": `import "` + websocket + `"`},
			[]string{"transport/bot → transport/ipc → " + websocket}},

		{"actors have no effects", "pure ones, and tests", map[string]string{
			"actors/a.go":      `import ("time"; "syscall"; "math/rand/v2"); var _ = time.Second; var _ syscall.Signal = syscall.SIGTERM; var _ = rand.New`,
			"actors/a_test.go": `import "os"; func f() { go os.Exit(1) }`,
			"transport/a.go":   `import "net"; func f() { go net.Dial("", "") }`,
		}, nil},
		{"actors have no effects", "imports", map[string]string{"actors/a.go": `import ("net/http"; _ "os"; . "strings")`},
			[]string{`actors/a.go imports strings as ".", which hides its calls`, "actors/a.go imports os", "actors/a.go imports net/http"}},
		{"actors have no effects", "goroutine", map[string]string{"actors/master/a.go": "\nfunc f() {\n\tgo f()\n}"}, []string{"actors/master/a.go:4: go statement"}},
		{"actors have no effects", "timers by another name", map[string]string{"actors/a.go": `import clock "time"; var _ = clock.AfterFunc; func f() { clock.Sleep(1) }`},
			[]string{"actors/a.go:2: time.AfterFunc", "actors/a.go:2: time.Sleep"}},
		{"actors have no effects", "deadline", map[string]string{"actors/a.go": `import "context"; var _ = context.WithTimeout`}, []string{"actors/a.go:2: context.WithTimeout"}},
		{"actors have no effects", "chance", map[string]string{"actors/plan/a.go": `import "math/rand/v2"; var _ = rand.IntN(3)`}, []string{"actors/plan/a.go:2: math/rand/v2.IntN"}},
		{"actors have no effects", "kill", map[string]string{"actors/a.go": `import "syscall"; var _ = syscall.Kill`}, []string{"actors/a.go:2: syscall.Kill"}},

		{"clocks are not mixed", "by the World", map[string]string{
			"actors/a.go":        own("messages") + `; func f() { c.W.AtWall(now); budget.At(now) }; var _ time.Time`,
			"actors/world/a.go":  own("messages") + `; func f() { messages.At(t); at.Time() }`,
			"transport/bot/a.go": own("messages") + `; func f() { messages.At(t) }`,
		}, nil},
		{"clocks are not mixed", "past it", map[string]string{"actors/master/a.go": own("messages") + "; func f() {\n\tmessages.At(t)\n\tm.Now.Time()\n}"},
			[]string{"actors/master/a.go:3: messages.At", "actors/master/a.go:4: UnixMillis.Time"}},

		{"traps of protoactor", "where it is not protoactor", map[string]string{"transport/a.go": `import "x"; var _ = x.Stash`, "actors/a_test.go": pa + `; var _ = actor.Stash`}, nil},
		{"traps of protoactor", "one of them", map[string]string{"test/sim/a.go": pa + `; func f(ctx actor.Context) { ctx.SetReceiveTimeout(1) }`}, []string{"test/sim/a.go:2: SetReceiveTimeout"}},

		{"tests do not sleep", "in a bubble, and code", map[string]string{
			"actors/a_test.go": `import ("testing/synctest"; "time"); func f() { time.Sleep(1); synctest.Wait() }`,
			"transport/a.go":   `import "time"; func f() { time.Sleep(1) }`,
		}, nil},
		{"tests do not sleep", "outside", map[string]string{"actors/a_test.go": `import "time"; func f() { time.Sleep(1) }`}, []string{"actors/a_test.go:2: time.Sleep"}},

		{"every package is documented", "each its own way", map[string]string{
			"cmd/control/main.go": "!// Control does.\npackage main\n",
			"messages/doc.go":     "!// Package messages is.\npackage messages\n", "messages/a.go": "", "messages/a_test.go": "",
			"test/a_test.go": "!// Package test is.\npackage test\n",
		}, nil},
		{"every package is documented", "by a test alone", map[string]string{"config/a.go": "", "config/a_test.go": "!// Package config is.\npackage config\n"},
			[]string{`config: no file begins with a comment "Package …"`}},
		{"every package is documented", "detached", map[string]string{"config/a.go": "!// Package config is.\n\npackage config\n"}, []string{`config: no file begins with a comment "Package …"`}},

		{"files are short", "at the limit, and with a reason", map[string]string{
			"a/a.go": lines(linesMax - 1), "a/b.go": "!// This is long, for it is a table.\npackage a\n" + lines(linesMax), "README.md": "!" + lines(linesMax+1),
		}, nil},
		{"files are short", "one over", map[string]string{"a/a.go": lines(linesMax) + "// long"}, []string{"a/a.go: 401 lines"}},

		{"README names no folder of one machine", "good paths", map[string]string{"README.md": "!See transport/src/checkout, /var/lib/control and https://example.com/home/x."}, nil},
		{"README names no folder of one machine", "homes", map[string]string{"README.md": "!Run `/home/me/bot` and /root/x."}, []string{"README.md: `/home/me/bot", "README.md: /root/x."}},
		{"README names no folder of one machine", "the checkout", map[string]string{"README.md": "!See /src/checkout/actors."}, []string{"README.md: /src/checkout", "README.md: /src"}},

		{"the top level is fixed", "what belongs there", map[string]string{"go.mod": "!", ".ci/run": "!", "cmd/a.go": "", "LICENSE": "!"}, nil},
		{"the top level is fixed", "what does not", map[string]string{"internal/a.go": "", "internal/b.go": "", "docs/x.md": "!"}, []string{"docs at the top", "internal at the top"}},
	} {
		t.Run(tc.wall+"/"+tc.name, func(t *testing.T) {
			at := slices.IndexFunc(walls("/src/checkout"), func(w wall) bool { return w.name == tc.wall })
			if at < 0 {
				t.Fatalf("no wall %q", tc.wall)
			}
			if got := walls("/src/checkout")[at].check(sources(t, tc.files)); !slices.Equal(got, tc.want) {
				t.Errorf("\n got %q\nwant %q", got, tc.want)
			}
		})
	}
}

// sources makes files from the text after their package clause.
func sources(t *testing.T, files map[string]string) []source {
	t.Helper()
	var all []source
	set := token.NewFileSet()
	for _, p := range slices.Sorted(maps.Keys(files)) {
		text, whole := strings.CutPrefix(files[p], "!")
		if !whole {
			text = "package a\n" + text
		}
		s, err := parse(set, p, text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func TestRepositoryIsWhatIsOurs(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	all, err := repository(fstest.MapFS{
		".gitignore":           file("/bin/\n*.out\n"),
		".ci/run":              file(""),
		"README.md":            file("text"),
		"bin/control":          file(""),
		"cpu.out":              file(""),
		"messages/a.go":        file("package messages"),
		"messages/testdata/x":  file(""),
		"test/foreign/go.mod":  file(""),
		"test/foreign/main.go": file("not even Go"),
		"cmd/control/dist/a.x": file(""),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range all {
		got = append(got, s.path)
	}
	if want := []string{".gitignore", "README.md", "cmd/control/dist/a.x", "messages/a.go"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
