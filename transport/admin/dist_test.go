package admin

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/knadh/koanf/parsers/yaml"

	"github.com/discluster/control/transport/proc"
)

const dist = "../../cmd/control/dist/"

// queries returns the PromQL expressions below a value, whatever else it contains.
func queries(value any) (all []string) {
	switch value := value.(type) {
	case map[string]any:
		for key, one := range value {
			if text, is := one.(string); is && (key == "expr" || key == "definition") {
				all = append(all, text)
			}
			all = append(all, queries(one)...)
		}
	case []any:
		for _, one := range value {
			all = append(all, queries(one)...)
		}
	}
	return all
}

// selector is a metric with its matchers in a query, matcher one of them.
var (
	selector = regexp.MustCompile(`\b((?:control|process|go)_[a-z_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z]+)(=~|!~|!=|=)"([^"]*)"`)
)

// The metrics, labels and values in the queries of dashboard and alerts exist: each metric is one
// of /metrics, each label is its own or Prometheus's.
func TestDist(t *testing.T) {
	text := scrape(t, &collector{view: aView(), mailboxes: func() map[string]int { return map[string]int{"gate": 3} }, links: func() map[string]Traffic { return map[string]Traffic{"ipc": {}} }, use: func(int) (proc.Used, bool) { return proc.Used{}, true }}) +
		scrape(t, &fleetCollector{aFleet()})
	read := func(name string, parse func([]byte) (any, error)) (all []string) {
		file, err := os.ReadFile(dist + name)
		if err != nil {
			t.Fatal(err)
		}
		value, err := parse(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if all = queries(value); len(all) < 10 {
			t.Errorf("%s: %d queries", name, len(all))
		}
		return all
	}
	all := slices.Concat(
		read("grafana.json", func(b []byte) (v any, err error) {
			err = json.Unmarshal(b, &v)
			return v, err
		}),
		read("alerts.yml", func(b []byte) (any, error) { return yaml.Parser().Unmarshal(b) }))
	for _, query := range all {
		for _, found := range selector.FindAllStringSubmatch(query, -1) {
			if err := selects(text, found[1], found[2]); err != nil {
				t.Errorf("%s: %v", query, err)
			}
		}
	}
}

// selects returns an error for a selector whose metric, label or value does not exist.
func selects(text, name, matchers string) error {
	if !strings.HasPrefix(name, "control_") {
		if own := []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "go_goroutines"}; !slices.Contains(own, name) {
			return fmt.Errorf("no metric %s", name)
		}
		return nil
	}
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+"{") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("no metric %s", name)
	}
	for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
		label, value := m[1], m[3]
		if label == "instance" || label == "job" { // Prometheus's own
			continue
		}
		want := label + `="`
		if m[2] == "=" || m[2] == "!=" {
			want += value + `"`
		}
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, want) }) {
			return fmt.Errorf("%s has no %s", name, want)
		}
	}
	return nil
}

// Unknown metrics, labels and values are found.
func TestSelects(t *testing.T) {
	const text = "control_a{state=\"x\"} 1\ncontrol_b 2\n"
	for query, ok := range map[[2]string]bool{
		{"control_a", ""}: true, {"control_a", `state="x"`}: true, {"control_a", `state="y"`}: false, {"control_a", `stat="x"`}: false, {"control_a", `state=~"y|z"`}: true,
		{"control_b", `instance=~"$instance"`}: true, {"control_c", ""}: false, {"go_x", ""}: false,
	} {
		if err := selects(text, query[0], query[1]); (err == nil) != ok {
			t.Errorf("%v: %v", query, err)
		}
	}
}

// promtool checks the rules, where it is installed.
func TestAlertsByPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no promtool here")
	}
	if out, err := exec.Command(promtool, "check", "rules", dist+"alerts.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
