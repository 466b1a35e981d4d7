package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestUnwritten(t *testing.T) {
	full := errors.New("full")
	var u Unwritten
	began := time.Unix(1000, 0)
	for i, c := range []struct {
		at   time.Duration
		file string
		err  error
		want string
	}{
		{0, "a", nil, ""},
		{time.Second, "a", full, "on a 1 full"},
		{2 * time.Second, "a", full, ""},
		{3 * time.Second, "b", full, ""},
		{4 * time.Second, "c", nil, ""},
		{time.Minute, "a", nil, ""}, // b is left
		{2 * time.Minute, "a", full, ""},
		{10*time.Minute + time.Second, "b", full, "on b 2 full"},
		{11 * time.Minute, "b", full, ""},
		{12 * time.Minute, "a", nil, ""},
		{13 * time.Minute, "b", nil, "off b 0"},
		{14 * time.Minute, "b", nil, ""},
		{15 * time.Minute, "b", full, "on b 1 full"},
	} {
		got := ""
		if e, report := u.Saved(c.file, c.err, began.Add(c.at)); report {
			got = strings.TrimSpace(fmt.Sprint(map[bool]string{true: "on ", false: "off "}[e.On], e.File, " ", e.Files, " ", e.Err))
		}
		if got != c.want {
			t.Errorf("%d: reported %q, want %q", i, got, c.want)
		}
	}
}
