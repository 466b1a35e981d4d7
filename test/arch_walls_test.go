package test

import (
	"fmt"
	"go/ast"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/discluster/control"

// room lists what the packages of a folder may import besides the standard library. The first one
// that fits counts.
type room struct {
	dir    string   // "x": this package; "x/...": it and all below
	ours   []string // packages of ours, in the same form
	barred []string // packages of other modules, by the beginning of their path; nil bars them all
}

const (
	protoactor = "github.com/asynkron/protoactor-go"
	koanf      = "github.com/knadh/koanf"
	cobra      = "github.com/spf13"
	websocket  = "github.com/gorilla/websocket"
)

var rooms = []room{
	{"messages/...", nil, nil},
	{"transport/bot/...", []string{"messages", "transport", "transport/ipc", "transport/bot/..."}, nil},
	{"transport/...", []string{"messages", "transport/..."}, []string{protoactor, koanf, cobra}},
	{"actors/plan", []string{"messages"}, nil},
	{"actors/link", []string{"messages", "actors/plan"}, nil},
	{"actors/master/fleet", []string{"messages", "actors/plan"}, nil},
	{"actors/world", []string{"messages", "transport", "transport/proc", "actors/plan"}, []string{koanf, cobra, websocket}},
	{"actors/events", []string{"messages", "actors/plan", "actors/world"}, []string{koanf, cobra, websocket}},
	{"actors/status", []string{"messages", "actors/plan", "actors/world"}, []string{koanf, cobra, websocket}},
	{"actors/gate", []string{"messages", "actors/plan", "actors/world"}, []string{koanf, cobra, websocket}},
	{"actors/sessions", []string{"messages", "actors/plan", "actors/link", "actors/world"}, []string{koanf, cobra, websocket}},
	{"actors/router", []string{"messages", "transport", "transport/ipc", "actors/plan", "actors/world"}, []string{koanf, cobra, websocket}},
	{"actors/cluster", []string{"messages", "transport", "transport/ipc", "transport/proc", "actors/plan", "actors/world", "actors/router"}, []string{koanf, cobra, websocket}},
	{"actors/master", []string{"messages", "transport", "transport/master", "actors/world", "actors/plan", "actors/master/fleet"}, []string{koanf, cobra, websocket}},
	{"actors", []string{"messages", "transport", "transport/master", "actors/world", "actors/plan", "actors/link", "actors/events", "actors/gate", "actors/sessions", "actors/router", "actors/cluster"}, []string{koanf, cobra, websocket}},
	{"config/...", []string{"messages"}, []string{protoactor, websocket}},
	{"cmd/control/...", []string{"cmd"}, nil},
	{"cmd/logbook", []string{"messages", "transport/botlog", "actors/world", "config"}, []string{protoactor, koanf, cobra, websocket}},
	{"cmd/machine", []string{"messages", "transport/...", "actors/world", "cmd/logbook"}, []string{koanf, cobra, websocket}},
	{"cmd/gateway", []string{"messages", "transport/...", "actors/plan"}, []string{protoactor, koanf, cobra, websocket}},
	{"cmd/daemon", []string{"messages", "transport/...", "actors/...", "config", "cmd/logbook", "cmd/machine"}, []string{koanf, cobra, websocket}},
	{"cmd/demo", []string{"messages", "transport/...", "actors/world", "config", "cmd/logbook", "cmd/daemon"}, []string{koanf, cobra, websocket}},
	{"cmd", []string{"messages", "transport/...", "actors/plan", "actors/world", "config", "cmd/logbook", "cmd/machine", "cmd/gateway", "cmd/daemon", "cmd/demo", "test/sim/..."}, []string{protoactor, koanf, websocket}},
	{"test/...", []string{"messages", "transport/...", "actors/...", "cmd/...", "test/..."}, []string{koanf}},
}

// fits reports whether the path matches the pattern.
func fits(pattern, p string) bool {
	below, all := strings.CutSuffix(pattern, "/...")
	return p == below || all && strings.HasPrefix(p, below+"/")
}

// imports returns the import paths of a file by the name that each has in it.
func (s source) imports() map[string]string {
	byName := map[string]string{}
	for _, i := range s.tree.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		name := p[strings.LastIndex(p, "/")+1:]
		if regexp.MustCompile(`^v[0-9]+$`).MatchString(name) { // math/rand/v2 is rand
			name = strings.TrimSuffix(p, "/"+name)
			name = name[strings.LastIndex(name, "/")+1:]
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == "_" {
			name = "_ " + p
		}
		byName[name] = p
	}
	return byName
}

// ours returns the folder of a package of this module.
func ours(imported string) (dir string, ok bool) { return strings.CutPrefix(imported, module+"/") }

// foreign reports whether the package is neither the project's nor the standard library's, whose
// first element has no dot.
func foreign(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".") && !strings.HasPrefix(imported, module)
}

// code returns the Go files that are not tests, which the compiler follows for a user of the
// package.
func code(all []source) []source {
	return slices.DeleteFunc(slices.Clone(all), func(s source) bool { return s.tree == nil || s.isTest() })
}

func importsRunOneWay(all []source) (complaints []string) {
	for _, s := range code(all) {
		at := slices.IndexFunc(rooms, func(r room) bool { return fits(r.dir, s.dir()) })
		if at < 0 {
			complaints = append(complaints, s.path+": a package where none belongs")
			continue
		}
		r := rooms[at]
		for _, p := range slices.Sorted(maps.Values(s.imports())) {
			dir, own := ours(p)
			switch {
			case own && !slices.ContainsFunc(r.ours, func(pattern string) bool { return fits(pattern, dir) }):
				complaints = append(complaints, fmt.Sprintf("%s imports %s; %s may import %s", s.path, dir, r.dir, list(r.ours)))
			case foreign(p) && (r.barred == nil || slices.ContainsFunc(r.barred, func(b string) bool { return strings.HasPrefix(p, b) })):
				complaints = append(complaints, fmt.Sprintf("%s imports %s", s.path, p))
			}
		}
	}
	return complaints
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing of ours"
	}
	return strings.Join(names, ", ")
}

func sdkStandsAlone(all []source) (complaints []string) {
	const sdk = "transport/bot"
	way := map[string]string{sdk: sdk} // how each package was reached
	for next := []string{sdk}; len(next) > 0; next = next[1:] {
		for _, s := range code(all) {
			if s.dir() != next[0] {
				continue
			}
			for _, p := range slices.Sorted(maps.Values(s.imports())) {
				dir, own := ours(p)
				if own && way[dir] == "" {
					way[dir] = way[next[0]] + " → " + dir
					next = append(next, dir)
				}
				if foreign(p) {
					complaints = append(complaints, way[next[0]]+" → "+p)
				}
			}
		}
	}
	return complaints
}

// barredImports are the packages that only have effects; barredCalls names the effects of a
// package.
var (
	barredImports = []string{"os", "os/exec", "os/signal", "os/user", "io/ioutil", "net", "net/http", "net/rpc", "crypto/rand", "golang.org/x/sys/unix"}

	barredCalls = map[string]func(name string) bool{
		"time":          among("AfterFunc", "After", "NewTimer", "NewTicker", "Tick", "Sleep"),
		"context":       among("WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause", "AfterFunc"),
		"sync":          among("WaitGroup"),
		"path/filepath": among("Abs", "EvalSymlinks", "Glob", "Walk", "WalkDir"),
		"syscall":       func(name string) bool { return name != "Signal" && !strings.HasPrefix(name, "SIG") },
		"math/rand":     global,
		"math/rand/v2":  global,
	}
)

func among(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// global reports whether a name of math/rand draws from the process's own source.
func global(name string) bool {
	return !slices.Contains([]string{"New", "NewPCG", "NewChaCha8", "NewSource", "NewZipf", "Rand", "PCG", "ChaCha8", "Source", "Zipf"}, name)
}

func actorsHaveNoEffects(all []source) (complaints []string) {
	for _, s := range code(all) {
		if !fits("actors/...", s.dir()) {
			continue
		}
		byName := s.imports()
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			if slices.Contains(barredImports, byName[name]) {
				complaints = append(complaints, fmt.Sprintf("%s imports %s", s.path, byName[name]))
			} else if name == "." {
				complaints = append(complaints, fmt.Sprintf("%s imports %s as \".\", which hides its calls", s.path, byName[name]))
			}
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				complaints = append(complaints, s.at(n)+": go statement")
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok {
					if barred := barredCalls[byName[x.Name]]; barred != nil && barred(n.Sel.Name) {
						complaints = append(complaints, fmt.Sprintf("%s: %s.%s", s.at(n), byName[x.Name], n.Sel.Name))
					}
				}
			}
			return true
		})
	}
	return complaints
}

// clocksAreNotMixed requires every time that comes from or goes to a file or a packet to pass
// world.Clocks.
func clocksAreNotMixed(all []source) (complaints []string) {
	for _, s := range code(all) {
		if !fits("actors/...", s.dir()) || fits("actors/world", s.dir()) {
			continue
		}
		byName := s.imports()
		ast.Inspect(s.tree, func(n ast.Node) bool {
			call, is := n.(*ast.CallExpr)
			if !is {
				return true
			}
			sel, is := call.Fun.(*ast.SelectorExpr)
			if !is {
				return true
			}
			switch x, named := sel.X.(*ast.Ident); {
			case named && byName[x.Name] == module+"/messages" && sel.Sel.Name == "At":
				complaints = append(complaints, s.at(n)+": messages.At")
			case sel.Sel.Name == "Time" && len(call.Args) == 0:
				complaints = append(complaints, s.at(n)+": UnixMillis.Time")
			}
			return true
		})
	}
	return complaints
}

// traps are names of protoactor that do not do what they promise.
var traps = []string{
	"Stash", "SetReceiveTimeout", "ReenterAfter", "NewExponentialBackoffStrategy", "NewRestartingStrategy", "Bounded", "BoundedDropping",
	"RequestFuture", "StopFuture", "PoisonFuture", "SendRepeatedly", "Poison",
}

func noTraps(all []source) (complaints []string) {
	for _, s := range code(all) {
		uses := slices.ContainsFunc(slices.Collect(maps.Values(s.imports())), func(p string) bool { return strings.HasPrefix(p, protoactor) })
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && uses && slices.Contains(traps, sel.Sel.Name) {
				complaints = append(complaints, s.at(sel)+": "+sel.Sel.Name)
			}
			return true
		})
	}
	return complaints
}

func testsDoNotSleep(all []source) (complaints []string) {
	for _, s := range all {
		if !s.isTest() {
			continue
		}
		byName := s.imports()
		if byName["synctest"] == "testing/synctest" {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if x, ok := sel.X.(*ast.Ident); ok && byName[x.Name] == "time" {
					complaints = append(complaints, s.at(sel)+": time.Sleep")
				}
			}
			return true
		})
	}
	return complaints
}

func packagesAreDocumented(all []source) (complaints []string) {
	documented := map[string]bool{} // by folder
	for _, s := range all {
		if s.tree == nil || strings.HasSuffix(s.tree.Name.Name, "_test") {
			continue
		}
		onlyTests := !slices.ContainsFunc(code(all), func(o source) bool { return o.dir() == s.dir() })
		if s.isTest() && !onlyTests {
			continue
		}
		doc := s.tree.Doc.Text()
		name := s.tree.Name.Name
		documented[s.dir()] = documented[s.dir()] || strings.HasPrefix(doc, "Package "+name+" ") || name == "main" && doc != ""
	}
	for _, dir := range slices.Sorted(maps.Keys(documented)) {
		if !documented[dir] {
			complaints = append(complaints, dir+": no file begins with a comment \"Package …\"")
		}
	}
	return complaints
}

const linesMax = 400

var excused = regexp.MustCompile(`//.*\blong\b`)

func filesAreShort(all []source) (complaints []string) {
	for _, s := range all {
		lines := strings.Count(s.text, "\n")
		head := strings.Join(strings.SplitN(s.text, "\n", 6)[:min(5, lines)], "\n")
		if s.tree != nil && lines > linesMax && !excused.MatchString(head) {
			complaints = append(complaints, fmt.Sprintf("%s: %d lines", s.path, lines))
		}
	}
	return complaints
}

// homes are the folders where people and machines keep their checkouts.
var homes = regexp.MustCompile(`(^|[^\w/])/(home/\w|root/|Users/\w)[^\s)"'` + "`]*")

// readmeIsPortable looks for homes, and for the path of the checkout and its siblings.
func readmeIsPortable(all []source, root string) (complaints []string) {
	for _, s := range all {
		if s.path != "README.md" {
			continue
		}
		for _, home := range homes.FindAllString(s.text, -1) {
			complaints = append(complaints, "README.md: "+strings.TrimSpace(home))
		}
		for _, dir := range []string{root, filepath.Dir(root)} {
			if dir != "/" && dir != "/tmp" && regexp.MustCompile(`(^|[^\w/.])`+regexp.QuoteMeta(dir)+`(/|\b)`).MatchString(s.text) {
				complaints = append(complaints, "README.md: "+dir)
			}
		}
	}
	return complaints
}

// topLevel returns everything at the top except what begins with a dot.
var topLevel = []string{"actors", "cmd", "config", "messages", "test", "transport", "go.mod", "go.sum", "LICENSE", "README.md", "Taskfile.yml"}

func topLevelIsFixed(all []source) (complaints []string) {
	seen := map[string]bool{}
	for _, s := range all {
		top, _, _ := strings.Cut(s.path, "/")
		if !seen[top] && top[0] != '.' && !slices.Contains(topLevel, top) {
			complaints = append(complaints, top+" at the top")
		}
		seen[top] = true
	}
	return complaints
}
