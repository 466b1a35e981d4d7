package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func TestWebhookMessage(t *testing.T) {
	body, took := WebhookMessage([]Alert{{messages.ClusterGaveUp{
		Cluster: 3, Shards: "30-39", Attempts: 4, Causes: []string{"exited", "mute"}, Output: "@everyone " + strings.Repeat("x", 1024) + "end",
	}, raised, "blade-7"}})
	want := `{"embeds":[{"title":"cluster.gave_up","color":14300988,"fields":[{"name":"cluster","value":"3","inline":true},{"name":"shards","value":"30-39","inline":true},` +
		`{"name":"attempts","value":"4","inline":true},{"name":"causes","value":"exited\nmute","inline":true},` +
		`{"name":"output","value":"…` + strings.Repeat("x", 1020) + `end","inline":false}],` +
		`"footer":{"text":"blade-7"},"timestamp":"2026-01-02T03:04:05.678Z"}],"allowed_mentions":{"parse":[]}}`
	if string(body) != want || took != 1 {
		t.Errorf("%d\n got %s\nwant %s", took, body, want)
	}
}

// Whatever an event holds, Discord takes the message, and every alert is delivered in the end.
func TestWebhookMessageKeepsToLimits(t *testing.T) {
	texts := []string{"", "short", strings.Repeat("long ", 300), strings.Repeat("🦆", 1500), strings.Repeat("ü", 2000), "\xff\xfe"}
	var alerts []Alert
	for i := range 40 {
		fields := map[string]any{"": "no name", "null": nil, "output": texts[i%len(texts)]}
		for f := range i {
			fields[texts[(i+f)%len(texts)]+fmt.Sprint(f)] = texts[f%len(texts)]
		}
		alerts = append(alerts, Alert{odd{fields}, raised, texts[i%len(texts)]})
	}
	for rest := alerts; len(rest) > 0; {
		body, took := WebhookMessage(rest)
		var m webhookMessage
		if err := json.Unmarshal(body, &m); err != nil || took < 1 || took != len(m.Embeds) || took > 10 {
			t.Fatalf("took %d, %v", took, err)
		}
		total := 0
		for _, e := range m.Embeds {
			total += units(e.Title) + units(e.Footer.Text)
			if units(e.Title) > 256 || len(e.Fields) > 25 || units(e.Footer.Text) > 2048 {
				t.Fatalf("over a limit: %+v", e)
			}
			for _, f := range e.Fields {
				total += units(f.Name) + units(f.Value)
				if f.Name == "" || f.Value == "" || units(f.Name) > 256 || units(f.Value) > 1024 {
					t.Fatalf("over a limit: %+v", f)
				}
			}
		}
		if total > 6000 {
			t.Fatalf("%d characters", total)
		}
		rest = rest[took:]
	}
	if _, took := WebhookMessage(slices.Repeat([]Alert{{messages.ClusterDied{}, raised, ""}}, 40)); took != 10 {
		t.Errorf("of small alerts it took %d", took)
	}
}

func TestCutText(t *testing.T) {
	for _, tc := range []struct {
		text        string
		most        int
		first, last string
	}{
		{"", 3, "", ""},
		{"abc", 3, "abc", "abc"},
		{"abcd", 3, "ab…", "…cd"},
		{"🦆🦆", 4, "🦆🦆", "🦆🦆"},
		{"🦆🦆🦆", 5, "🦆🦆…", "…🦆🦆"},
		{"🦆🦆🦆", 4, "🦆…", "…🦆"},
	} {
		if got := cutText(tc.text, tc.most); got != tc.first {
			t.Errorf("cutText(%q, %d) = %q", tc.text, tc.most, got)
		}
		if got := lastText(tc.text, tc.most); got != tc.last {
			t.Errorf("lastText(%q, %d) = %q", tc.text, tc.most, got)
		}
	}
}

func TestWebhookWait(t *testing.T) {
	at := func(ms ...int) (all []time.Time) {
		for _, m := range ms {
			all = append(all, raised.Add(time.Duration(m)*time.Millisecond))
		}
		return all
	}
	for _, tc := range []struct {
		name string
		sent []time.Time
		now  int
		want time.Duration
	}{
		{"none", nil, 0, 0},
		{"four at once", at(0, 0, 0, 0), 0, 0},
		{"the fifth was the last", at(0, 100, 100, 100, 200), 300, 1700 * time.Millisecond},
		{"older ones count no more", at(-9000, 0, 100, 100, 100, 200), 300, 1700 * time.Millisecond},
		{"the window is over", at(0, 100, 100, 100, 200), 2000, 0},
		{"long ago", at(0, 0, 0, 0, 0), 99000, 0},
	} {
		if got := WebhookWait(tc.sent, raised.Add(time.Duration(tc.now)*time.Millisecond)); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}

func TestWebhookAnswer(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		tries  int
		fate   WebhookFate
		wait   time.Duration
	}{
		{"taken", 204, "", 1, WebhookDelivered, 0},
		{"taken, with the message", 200, "{}", 1, WebhookDelivered, 0},
		{"too many", 429, `{"retry_after":0.65,"global":false}`, 1, WebhookAgain, 650 * time.Millisecond},
		{"too many, for long", 429, `{"retry_after":12}`, 99, WebhookAgain, 12 * time.Second},
		{"too many, hardly", 429, `{"retry_after":0}`, 1, WebhookAgain, 100 * time.Millisecond},
		{"too many, always", 429, `{"retry_after":1e300}`, 1, WebhookAgain, 10 * time.Minute},
		{"too many, before the past", 429, `{"retry_after":-1}`, 1, WebhookAgain, 100 * time.Millisecond},
		{"too many, by a proxy", 429, `<html>`, 2, WebhookAgain, 2 * time.Second},
		{"too many, by a proxy, to the end", 429, `{}`, 7, WebhookLost, 0},
		{"the webhook is gone", 404, "", 1, WebhookRefused, 0},
		{"a wrong message", 400, "", 1, WebhookRefused, 0},
		{"a timeout of theirs", 408, "", 1, WebhookAgain, time.Second},
		{"their fault", 500, "", 1, WebhookAgain, time.Second},
		{"their fault again", 503, "", 4, WebhookAgain, 8 * time.Second},
		{"no answer", 0, "", 6, WebhookAgain, 32 * time.Second},
		{"no answer, to the end", 0, "", 7, WebhookLost, 0},
	} {
		if fate, wait := WebhookAnswer(tc.status, []byte(tc.body), tc.tries, 0.5); fate != tc.fate || wait != tc.wait {
			t.Errorf("%s: got %v, %v", tc.name, fate, wait)
		}
	}
}
