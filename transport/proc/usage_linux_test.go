package proc

import (
	"os"
	"testing"
	"time"
)

func TestParseUsage(t *testing.T) {
	const tail = " S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 7 0 12345 987654 321 18446744073709551615 1 1"
	for name, c := range map[string]struct {
		stat string
		want Used
		ok   bool
	}{
		"a process":                 {"42 (node)" + tail, Used{Age: time.Minute, CPU: 2 * time.Second, Resident: 321 * 4096}, true},
		"a name with a parenthesis": {"42 (a) S 1 (b)" + tail, Used{Age: time.Minute, CPU: 2 * time.Second, Resident: 321 * 4096}, true},
		"cut":                       {"42 (node) S 1 2 3", Used{}, false},
		"no number":                 {"42 (node) S 1 2 3 4 5 6 7 8 9 10 x 50 0 0 20 0 7 0 12345 987654 321 1", Used{}, false},
		"nothing":                   {"", Used{}, false},
	} {
		if got, ok := parseUsage([]byte(c.stat), 183450*time.Millisecond, 4096); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v %v, want %+v %v", name, got, ok, c.want, c.ok)
		}
	}
}

func TestUsageOfOurselves(t *testing.T) {
	if used, ok := Usage(os.Getpid()); !ok || used.Resident < 1<<20 || used.Age <= 0 || used.Age > time.Hour {
		t.Errorf("%+v %v", used, ok)
	}
	if _, ok := Usage(0); ok {
		t.Error("pid 0 is not a process")
	}
}
