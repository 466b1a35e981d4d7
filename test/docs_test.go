package test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/discluster/control/messages"
)

// documents reads every Markdown page of the repository, by its path from the top.
func documents(t *testing.T) map[string]string {
	pages := map[string]string{}
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == ".git"):
			return fs.SkipDir
		case path.Ext(name) == ".md":
			text, err := os.ReadFile(filepath.Join("..", name))
			pages[name] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// The handbook has a row for every event, with its level, what it means and what to do.
func TestHandbookHasEveryEvent(t *testing.T) {
	rows := map[string]bool{}
	form := regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| (?:debug|info|warn|error)[a-z, ]* \\| [^|]{8,} \\| [^|]+ \\|$")
	for _, row := range form.FindAllStringSubmatch(documents(t)["cmd/control/README.md"], -1) {
		if rows[row[1]] {
			t.Errorf("%s has two rows", row[1])
		}
		rows[row[1]] = true
	}
	for _, name := range messages.EventNames() {
		if !rows[name] {
			t.Errorf("cmd/control/README.md has no row for the event %s: its level, meaning, and what to do", name)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("cmd/control/README.md has a row for %s, which is no event", name)
	}
}

// README stays short enough to be read to its end.
func TestReadmeIsShort(t *testing.T) {
	if n := strings.Count(documents(t)["README.md"], "\n"); n > 150 {
		t.Errorf("README.md has %d lines: want at most 150", n)
	}
}

// Every command in a code block of README is run: by .ci/run, or by a test of test/e2e that takes
// the block from README.
func TestReadmeCommandsAreRun(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	ci := read(".ci/run")
	tests := regexp.MustCompile(`readmeBlock\(t, "([^"]+)"\)`).
		FindAllStringSubmatch(read("test/e2e/readme_test.go")+read("test/e2e/readme_long_test.go"), -1)
	for i, block := range strings.Split(read("README.md"), "\n```") {
		_, code, _ := strings.Cut(block, "\n")
		if i%2 == 0 {
			continue // text between blocks
		}
		taken := slices.ContainsFunc(tests, func(m []string) bool { return strings.Contains(code, m[1]) })
		for line := range strings.Lines(code) {
			command := regexp.MustCompile(`\b(go |bin/control ).*`).FindString(line)
			if command != "" && !taken && !strings.Contains(ci, "\n"+command) {
				t.Errorf("README.md has %q, which neither .ci/run nor a test of test/e2e runs", command)
			}
		}
	}
}

// Every link between the documents resolves.
func TestLinksResolve(t *testing.T) {
	pages := documents(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(filepath.Join("..", file)); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
				continue
			}
			if anchor != "" && !anchors(pages[file])[anchor] {
				t.Errorf("%s links to %s: no such heading", name, m[1])
			}
		}
	}
}

// anchors returns the headings of a page, as links name them.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(page) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			slug := strings.Map(func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
					return unicode.ToLower(r)
				}
				return -1
			}, strings.TrimSpace(title))
			all[slug] = true
		}
	}
	return all
}

// Every section that a comment refers to is a heading of the document it names.
func TestReferencesResolve(t *testing.T) {
	pages := documents(t)
	headings := map[string]bool{}
	for name, of := range map[string]string{"transport/ipc/PROTOCOL.md": "PROTOCOL", "transport/master/PROTOCOL.md": "PROTOCOL", "actors/DESIGN.md": "DESIGN"} {
		for _, m := range regexp.MustCompile(`(?m)^## (§?[A-Z0-9]+)`).FindAllStringSubmatch(pages[name], -1) {
			headings[of+" "+strings.TrimSuffix(m[1], ".")] = true
		}
	}
	reference := regexp.MustCompile(`\b(PROTOCOL|DESIGN) (§?[A-Z]?[0-9]+)(?:[–-]([A-Z][0-9]+))?(?:, ([A-Z][0-9]+)\b)?`)
	all, err := repository(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, s := range all {
		for _, m := range reference.FindAllStringSubmatch(s.text, -1) {
			for _, section := range m[2:] {
				if section == "" {
					continue
				}
				if seen++; !headings[m[1]+" "+section] {
					t.Errorf("%s refers to %s, which has no such section", s.path, fmt.Sprint(m[1], " ", section))
				}
			}
		}
		if s.path == "test/docs_test.go" {
			continue
		}
		for _, absent := range []string{"WIRE " + "A", "WIRE " + "B", "STYLE " + "R"} {
			if strings.Contains(s.text, absent) {
				t.Errorf("%s refers to %q, which is not in the repository", s.path, absent)
			}
		}
	}
	if seen == 0 {
		t.Error("no reference found: the pattern is wrong")
	}
}

// Every file that a document or a comment names by its path from the top exists.
func TestPathsResolve(t *testing.T) {
	named := regexp.MustCompile(`(?:^|[\s("` + "`" + `])((?:actors|cmd|config|messages|test|transport)/[\w./-]*\.(?:go|md|yml|yaml|cjs|mjs|py))\b`)
	check := func(where, text string) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", where, m[1])
			}
		}
	}
	for name, text := range documents(t) {
		check(name, text)
	}
	eachComment(t, check)
	tree, err := os.ReadFile("../actors/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\b[a-z]+/[a-z]+\.go\b`).FindAllString(string(tree), -1) {
		check("actors/doc.go", " actors/"+name)
	}
}

// A package comment that lists files lists all of them. Each package of the command line has one.
func TestDocListsEveryFile(t *testing.T) {
	all, err := repository(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	docs, lists := map[string]string{}, 0
	for _, s := range all {
		if path.Base(s.path) == "doc.go" && regexp.MustCompile(`(?m)^//\t[a-z_]+\.go\b`).MatchString(s.text) {
			docs[s.dir()] = s.text
			lists++
		}
	}
	if lists < 10 {
		t.Fatalf("%d packages list their files", lists)
	}
	for _, s := range all {
		doc, name := docs[s.dir()], path.Base(s.path)
		if path.Ext(name) != ".go" || s.isTest() || name == "doc.go" {
			continue
		}
		if doc == "" {
			if fits("cmd/...", s.dir()) && s.dir() != "cmd/control" {
				t.Errorf("%s: its folder has no doc.go that lists its files", s.path)
			}
			continue
		}
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(doc) {
			t.Errorf("%s/doc.go does not name %s", s.dir(), name)
		}
	}
}
