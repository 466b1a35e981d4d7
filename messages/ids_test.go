package messages

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const s = Secret("s3cret")
	type holder struct {
		Token  Secret
		Inside *Secret
	}
	inside := s
	h := holder{s, &inside}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	seen := []string{string(text), fmt.Errorf("bad token %q %w", s, fmt.Errorf("%v", h)).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		seen = append(seen, fmt.Sprintf(verb, s), fmt.Sprintf(verb, h))
	}
	for _, text := range seen {
		if strings.Contains(text, "s3cret") {
			t.Errorf("secret in %s", text)
		}
		if !strings.Contains(text, redacted) {
			t.Errorf("no redaction in %s", text)
		}
	}
	if s.Reveal() != "s3cret" {
		t.Errorf("Reveal returns %q", s.Reveal())
	}
}

// The first 8 bytes of SHA-256("abc"), FIPS 180-2 appendix B.1.
func TestFingerprint(t *testing.T) {
	for s, want := range map[Secret]string{"abc": "ba7816bf8f01cfea", "": ""} {
		if got := s.Fingerprint(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDurationsOnTheWire(t *testing.T) {
	if got := Millis(1999 * time.Microsecond); got != 1 {
		t.Errorf("Millis rounds to %d, want 1", got)
	}
	if got := Milliseconds(1500).Duration(); got != 1500*time.Millisecond {
		t.Errorf("got %s", got)
	}
	moment := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	if got := At(moment); got != 1767323045678 || !got.Time().Equal(moment) {
		t.Errorf("got %d, %s", got, got.Time())
	}
}

func TestShardRange(t *testing.T) {
	for _, c := range []struct {
		name   string
		r      ShardRange
		text   string
		json   string
		shards []int
	}{
		{"several", ShardRange{2, 4}, "2-4", "[2,4]", []int{2, 3, 4}},
		{"one", ShardRange{7, 7}, "7", "[7,7]", []int{7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.r.String() != c.text || !reflect.DeepEqual(c.r.Shards(), c.shards) || c.r.Len() != len(c.shards) {
				t.Errorf("got %s, %v, %d", c.r, c.r.Shards(), c.r.Len())
			}
			out, err := json.Marshal(c.r)
			if err != nil || string(out) != c.json {
				t.Errorf("got %s, %v; want %s", out, err, c.json)
			}
			var back ShardRange
			if err := json.Unmarshal(out, &back); err != nil || back != c.r {
				t.Errorf("got %v, %v", back, err)
			}
		})
	}
}

func TestShardRangeRefuses(t *testing.T) {
	for _, text := range []string{`[]`, `[1]`, `[1,2,3]`, `[2,1]`, `[-1,2]`, `[1.5,2]`, `["1",2]`, `{}`, `null`, `"1-2"`} {
		var r ShardRange
		if err := json.Unmarshal([]byte(text), &r); err == nil || !strings.Contains(err.Error(), "want [first,last]") {
			t.Errorf("%s: got %v, %v", text, r, err)
		}
	}
}

func TestShardRangeOverlap(t *testing.T) {
	a := ShardRange{10, 19}
	for _, c := range []struct {
		b    ShardRange
		want bool
	}{
		{ShardRange{0, 9}, false}, {ShardRange{0, 10}, true}, {ShardRange{12, 13}, true}, {ShardRange{0, 99}, true}, {ShardRange{19, 20}, true}, {ShardRange{20, 29}, false},
	} {
		if a.Overlaps(c.b) != c.want || c.b.Overlaps(a) != c.want {
			t.Errorf("%s and %s: want %t", a, c.b, c.want)
		}
	}
	if a.Contains(9) || !a.Contains(10) || !a.Contains(19) || a.Contains(20) {
		t.Errorf("%s contains the wrong shards", a)
	}
}

func TestClusterIDInText(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:{9000+cluster}/ready?c={cluster}": "http://127.0.0.1:9007/ready?c=7",
		"{x+cluster} {-1+cluster} {cluster }":               "{x+cluster} {-1+cluster} {cluster }",
		"{9999999999+cluster}":                              "{9999999999+cluster}",
		"plain":                                             "plain",
	} {
		if got := ClusterID(7).In(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
