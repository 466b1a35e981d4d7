// Package test holds the rules that concern no package alone, as tests (here), the simulation
// (sim), its bots and MASTERs (fakecluster, mockmaster), the stories (scenarios) and the tests with
// real processes (e2e).
package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// source is one file of the repository. Only Go files and the README have a text, only Go files a
// tree.
type source struct {
	path string // from the top, by slashes
	text string
	tree *ast.File
	set  *token.FileSet
}

func (s source) dir() string  { return path.Dir(s.path) }
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// at returns the position of a node, for an error.
func (s source) at(n ast.Node) string {
	p := s.set.Position(n.Pos())
	p.Column = 0
	return p.String()
}

// wall is one rule of the code. check returns an error text for everything that breaks it.
type wall struct {
	name  string
	why   string
	check func(all []source) []string
}

// walls holds every rule. A new one goes here, and its proof into arch_proof_test.go.
func walls(root string) []wall {
	return []wall{
		{"imports run one way", "messages ← transport ← actors ← cmd; a package that needs the other direction takes a message or a function", importsRunOneWay},
		{"the SDK is self-contained", "a bot author pays for nothing unused: transport/bot imports only the standard library and this module", sdkStandsAlone},
		{"actors have no effects", "everything outside a mailbox goes through world.World, or the simulation cannot order it", actorsHaveNoEffects},
		{"clocks are not mixed", "a time of the wall clock compared with one that was measured is wrong by as much as the clock is; World.Clocks leads from one to the other", clocksAreNotMixed},
		{"traps of protoactor", "each of these races, reorders, blocks or loses messages; actors/world and actors/plan have what to use instead", noTraps},
		{"tests do not sleep", "a sleep is slow where it suffices and flaky where it does not: use a channel, or time in a testing/synctest bubble", testsDoNotSleep},
		{"every package is documented", "the package comment is where a reader begins", packagesAreDocumented},
		{"files are short", "over 400 lines a file has two subjects; the first five lines of one that must be long give the reason, with the word \"long\"", filesAreShort},
		{"README names no folder of one machine", "it is read on other machines", func(all []source) []string { return readmeIsPortable(all, root) }},
		{"the top level is fixed", "what is new belongs into one of its folders", topLevelIsFixed},
	}
}

func TestWalls(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	all, err := repository(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("%d files in %s: this is not the repository", len(all), root)
	}
	for _, w := range walls(root) {
		t.Run(w.name, func(t *testing.T) {
			for _, complaint := range w.check(all) {
				t.Errorf("%s\n\t(%s)", complaint, w.why)
			}
		})
	}
}

// repository reads every file of the project: not those that git ignores, that begin with a dot
// below the top, in testdata, or in a module of their own.
func repository(tree fs.FS) ([]source, error) {
	ignored, err := ignoredNames(tree)
	if err != nil {
		return nil, err
	}
	var all []source
	set := token.NewFileSet()
	err = fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		if slices.ContainsFunc(ignored, func(pattern string) bool { ok, _ := path.Match(pattern, d.Name()); return ok }) {
			return skip(d)
		}
		if d.IsDir() {
			if _, err := fs.Stat(tree, p+"/go.mod"); err == nil || d.Name() == "testdata" || d.Name()[0] == '.' {
				return fs.SkipDir
			}
			return nil
		}
		s := source{path: p, set: set}
		if path.Ext(p) == ".go" || p == "README.md" {
			text, err := fs.ReadFile(tree, p)
			if err != nil {
				return err
			}
			if s, err = parse(set, p, string(text)); err != nil {
				return err
			}
		}
		all = append(all, s)
		return nil
	})
	return all, err
}

func parse(set *token.FileSet, p, text string) (source, error) {
	s := source{path: p, text: text, set: set}
	if path.Ext(p) != ".go" {
		return s, nil
	}
	var err error
	s.tree, err = parser.ParseFile(set, p, text, parser.ParseComments|parser.SkipObjectResolution)
	return s, err
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// ignoredNames returns the entries of .gitignore; its patterns are plain names here.
func ignoredNames(tree fs.FS) ([]string, error) {
	text, err := fs.ReadFile(tree, ".gitignore")
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if name := strings.Trim(strings.TrimSpace(line), "/"); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}
