package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runHook runs a hook to its end.
func runHook(limit time.Duration, input string, argv ...string) error {
	done := make(chan error)
	hook(argv, []byte(input), limit, func(err error) { done <- err })
	return <-done
}

func TestHook(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CONTROL_MASTER__AUTHORIZATION", "hunter2")
	t.Setenv("DISCORD_TOKEN", "hunter2")
	t.Setenv("OPERATORS_OWN", "yes")
	out := filepath.Join(dir, "out")
	if err := runHook(time.Minute, "{}\n", "sh", "-c", `cat > "$0"; env >> "$0"; echo lost`, out); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(out)
	if text := string(got); !strings.HasPrefix(text, "{}\n") || !strings.Contains(text, "OPERATORS_OWN=yes") || strings.Contains(text, "hunter2") {
		t.Errorf("got %s", text)
	}
	for name, c := range map[string]struct {
		argv []string
		want string
	}{
		"fails":           {[]string{"sh", "-c", "exit 3"}, "hook sh: exit status 3"},
		"does not exist":  {[]string{"/no/hook", "x"}, "hook /no/hook: fork/exec /no/hook: no such file or directory"},
		"hangs":           {[]string{"sleep", "1000"}, "hook sleep: killed after 50ms"},
		"hangs in a fork": {[]string{"sh", "-c", "sleep 1000; true"}, "hook sh: killed after 50ms"},
	} {
		limit := time.Minute
		if strings.HasPrefix(name, "hangs") {
			limit = 50 * time.Millisecond
		}
		if err := runHook(limit, "{}", c.argv...); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if err := runHook(time.Minute, strings.Repeat("x", 1<<20), "true"); err != nil {
		t.Errorf("a hook that does not read its input: %v", err)
	}
}
