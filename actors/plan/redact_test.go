package plan

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

const (
	secret  = "a-secret.of/the.operator's=own/making-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"
	unknown = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"
)

func TestSecretsText(t *testing.T) {
	known := Secrets{}.With(secret).With("short").With("hunter-2-hunter").With(`quo"ted\pass/word`)
	quoted, _ := json.Marshal(`quo"ted\pass/word`)
	twice, _ := json.Marshal(string(quoted))
	dots := strings.ReplaceAll(secret, ".", `\u002e`)
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "all is well", "all is well"},
		{"whole", "login " + secret + " refused", "login [redacted] refused"},
		{"twice", secret + "," + secret, "[redacted],[redacted]"},
		{"over two lines", "token " + secret[:20] + "\n" + secret[20:] + "\nend", "token [redacted]\nend"},
		{"over lines, indented", secret[:9] + "\r\n\t  " + secret[9:40] + "\n" + secret[40:], "[redacted]"},
		{"escaped dots", "x " + dots + " y", "x [redacted] y"},
		{"escaped slash", strings.ReplaceAll(secret, "/", `\/`), "[redacted]"},
		{"JSON in JSON", `{"a":"` + strings.ReplaceAll(secret, ".", `\\\u002E`) + `"}`, `{"a":"[redacted]"}`},
		{"an escaped line break", secret[:20] + `\n` + secret[20:], "[redacted]"},
		{"in a URL", "GET /?t=" + strings.ReplaceAll(url.QueryEscape(secret), ".", "%2e"), "GET /?t=[redacted]"},
		{"begins inside it", secret[30:] + " was here", "[redacted] was here"},
		{"ends inside it", "the last line: " + secret[:30], "the last line: [redacted]"},
		{"cut by an ellipsis", "got `" + secret[:25] + "…: want a number", "got `[redacted]…: want a number"},
		{"cut in a field of JSON", `{"err":"it is ` + secret[:25] + `","n":1}`, `{"err":"it is [redacted]","n":1}`},
		{"too little of it to matter", "ends in " + secret[:7], "ends in " + secret[:7]},
		{"half of a short one", "hunter-2", "[redacted]"},
		{"half of a short one in a text", "the hunter-2 and", "the hunter-2 and"},
		{"its first half", "cut " + secret[:40] + " END", "cut [redacted] END"},
		{"its last half", "cut " + secret[30:] + " and", "cut [redacted] and"},
		{"a secret that is too short", "a short text", "a short text"},
		{"quotes and backslashes", "is " + `quo"ted\pass/word`, "is [redacted]"},
		{"and in JSON", string(quoted), `"[redacted]"`},
		{"and in JSON of JSON", string(twice), `"\"[redacted]\""`},
		{"an escape at the end", `x\`, `x\`},
		{"half an escape", `x\u00`, `x\u00`},
		{"an unknown token", "login with " + unknown + ", refused", "login with [redacted], refused"},
		{"and over two lines", "login with " + unknown[:30] + "\n" + unknown[30:] + "\", refused", "login with [redacted]\", refused"},
		{"no token: the id is none", "ATk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs", "ATk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"},
		{"no token: dots at the end", "MTk4NjIyNDgzNDcxOTI1MjQ4.", "MTk4NjIyNDgzNDcxOTI1MjQ4."},
		{"half a percent", "100%", "100%"},
		{"zeros", "is " + secret[:20] + "\x00" + secret[20:], "is [redacted]"},
		{"zeros in JSON", "is " + secret[:20] + `\u0000` + secret[20:], "is [redacted]"},
		{"zeros in Go", "is " + secret[:20] + `\x00` + secret[20:], "is [redacted]"},
		{"a zero-width space", "is " + unknown[:20] + "\u200b" + unknown[20:], "is [redacted]"},
		{"and in JSON", "is " + unknown[:20] + `\u200b` + unknown[20:], "is [redacted]"},
		{"a soft hyphen, a joiner and a mark of order", secret[:9] + "\u00ad" + secret[9:20] + "\u2060" + secret[20:30] + "\ufeff" + secret[30:], "[redacted]"},
		{"a no-break space", secret[:9] + "\u00a0" + secret[9:], "[redacted]"},
		{"a backspace", secret[:9] + "\b" + secret[9:], "[redacted]"},
		{"a character taken back", unknown[:20] + "x\b" + unknown[20:], "[redacted]"},
		{"and in JSON", unknown[:20] + `x\b` + unknown[20:] + `y\u0008`, `[redacted]y\u0008`},
		{"printed twice", "p\bpa" + strings.Join(strings.Split(unknown, ""), "\b\b"), "p\bpa" + "[redacted]"},
		{"colours", "is \x1b[31m" + unknown[:20] + "\x1b[0;1m" + unknown[20:] + "\x1b[0m.", "is \x1b[31m[redacted]\x1b[0m."},
		{"colours in JSON", "is " + secret[:20] + `\u001b[0m` + secret[20:] + `\u001b[0m.`, `is [redacted]\u001b[0m.`},
		{"another set of characters", secret[:20] + "\x1b(B\x1b[m" + secret[20:], "[redacted]"},
		{"half a command before it", "\x1b[" + unknown, "\x1b[[redacted]"},
		{"an unknown token that is cut", "login with " + unknown[:40], "login with [redacted]"},
	} {
		if got := known.Text(c.text); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// A text that comes in pieces shows no more of a secret than the whole would.
func TestSecretsAfter(t *testing.T) {
	known := Secrets{}.With(secret)
	for _, c := range []struct{ before, text, want string }{
		{"", "a " + secret[:20] + "\n", "a [redacted]\n"},
		{"a " + secret[:20] + "\n", secret[20:40] + "\n", "[redacted]\n"},
		{"a " + secret[:20] + "\n" + secret[20:40] + "\n", secret[40:] + "\nb\n", "[redacted]\nb\n"},
		{"a " + secret + "\n", "b\n", "b\n"},
		{"a " + secret + "\n", "b " + secret, "b [redacted]"},
		{"is " + unknown[:30], unknown[30:] + ", b", "[redacted], b"},
		{"a", "b", "b"},
	} {
		if got := known.After(c.before, c.text); got != c.want {
			t.Errorf("%q after %q: %q, want %q", c.text, c.before, got, c.want)
		}
	}
}

func TestSecretsEvent(t *testing.T) {
	known := Secrets{}.With(secret)
	id := messages.ClusterID(3)
	causes := []string{"exited", "start_failed: " + secret}
	up := messages.ClusterGaveUp{Cluster: 3, Causes: causes, Output: secret, Shards: "0-9"}
	got := known.Event(up).(messages.ClusterGaveUp)
	if text, _ := json.Marshal(got); strings.Contains(string(text), secret) || got.Cluster != 3 || got.Shards != "0-9" || got.Causes[0] != "exited" {
		t.Errorf("got %s", text)
	}
	if causes[1] != "start_failed: "+secret {
		t.Error("the event of others was changed")
	}
	clean := messages.OrderRefused{Order: "stop", Cluster: &id, Err: "no"}
	if got := known.Event(clean).(messages.OrderRefused); got.Cluster != &id {
		t.Error("an event without secrets is another one now")
	}
}

// Whatever the text is, no secret is left in it, and redacting it again changes nothing.
func FuzzSecretsText(f *testing.F) {
	f.Add("a "+secret+" b", 3)
	f.Add(`\u002e`+secret, 70)
	f.Add("\x1b[31m\b\x00\u200b"+secret, 6)
	f.Fuzz(func(t *testing.T, text string, at int) {
		known := Secrets{}.With(secret)
		if at >= 0 && at <= len(text) {
			text = text[:at] + secret + text[at:]
		}
		got := known.Text(text)
		if strings.Contains(got, secret) || known.Text(got) != got {
			t.Errorf("%q becomes %q, then %q", text, got, known.Text(got))
		}
	})
}

func BenchmarkSecretsText(b *testing.B) {
	known := Secrets{}.With(secret).With("another-secret")
	line := strings.Repeat(`{"level":"info","cluster":3,"shards":"30-39","message":"cluster.ready"}`, 4)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		known.Text(line)
	}
}
