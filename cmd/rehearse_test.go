package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every shipped scenario can be read, and its first line is a sentence.
func TestShippedScenarios(t *testing.T) {
	var list strings.Builder
	if err := listScenarios(&list); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(list.String()), "\n")
	if len(lines) < 3 {
		t.Fatalf("%d are shipped:\n%s", len(lines), list.String())
	}
	for _, line := range lines {
		name, what, _ := strings.Cut(line, " ")
		if what = strings.TrimSpace(what); !strings.HasSuffix(what, ".") {
			t.Errorf("%s: %q is no sentence", name, what)
		}
		if s, err := readScenario(name); err != nil || s.Name != name {
			t.Errorf("%s: %q, %v", name, s.Name, err)
		}
	}
}

func TestReadScenario(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("night.yaml", "fleet: {shards: 4}\nuntil: 1m\n")
	if s, err := readScenario(good); err != nil || s.Name != "night" || s.Fleet.Shards != 4 {
		t.Errorf("%+v, %v", s, err)
	}
	bad, long := write("bad.yaml", "fleet: {shards: 0}\nuntil: 1m\n"), write("long.yaml", strings.Repeat("#", scenarioMax+1))
	for name, want := range map[string]string{
		"no-such":                       `scenario "no-such": no scenario of that name comes with this program, see --list; name a file with its extension`,
		filepath.Join(dir, "none.yaml"): fmt.Sprintf("scenario: open %s: no such file or directory", filepath.Join(dir, "none.yaml")),
		long:                            fmt.Sprintf("scenario: %s: over 1048576 bytes", long),
		bad:                             fmt.Sprintf("scenario %s:\nline 1: fleet.shards 0: want 1 to 10000", bad),
	} {
		if _, err := readScenario(name); fmt.Sprint(err) != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
