package local

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the transcripts as they are now")

// TestTranscripts plays the stories in testdata: a line is what happens, the indented lines under
// it are the frames for the bot (→) and the effects that follow at once.
//
//	at 2.5s                       time passes
//	discord 7 KIND {…}            an event of Discord's session; s1, s2 … READYs with guilds 1 and 2
//	discord lost | resumes        its session cannot be resumed; is about to be
//	bot identify 513 {…}          an IDENTIFY with these intents, and a presence
//	bot resume s1-3-4 9 | beat 9 | op 4 {…}
//	bot ended | closed | died | stopped     a connection or process ended by itself, or by order
//	hold | release | ask | restored s1 7 | limit 500
//
// "settled" is when the bot has handled READY and its guilds.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal([]byte(got), want) {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

func play(t *testing.T, script string) string {
	s := New(Config{URL: "ws://here", Ring: 1000, Probe: 15 * time.Second})
	start := time.Unix(1_700_000_000, 0)
	now := start
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		settled := s.Settled()
		if line == "" || line[0] == '#' {
			out.WriteString(line + "\n")
			continue
		}
		if line[0] == ' ' {
			continue // an answer, written again below
		}
		out.WriteString(line + "\n")
		if at, ok := strings.CutPrefix(line, "at "); ok {
			d, err := time.ParseDuration(at)
			if err != nil {
				t.Fatal(err)
			}
			now = start.Add(d)
		} else if err := step(s, now, line); err != nil {
			fmt.Fprintf(&out, "  error: %v\n", err)
		}
		if s.Settled() && !settled {
			out.WriteString("  settled\n")
		}
		for {
			f, ok := s.Next(now)
			for _, e := range s.Effects() {
				out.WriteString("  " + effectText(e) + "\n")
			}
			if !ok {
				break
			}
			out.WriteString("  → " + frameText(f) + "\n")
		}
	}
	return out.String()
}

func step(s *Shard, now time.Time, line string) error {
	words := strings.SplitN(line, " ", 4)
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	number := func(i int) int64 { n, _ := strconv.ParseInt(word(i), 10, 64); return n }
	switch words[0] + " " + word(1) {
	case "discord lost":
		s.Lost()
	case "discord resumes":
		s.Replays()
	case "bot identify":
		presence := word(3)
		if presence == "" {
			presence = "null"
		}
		return s.Identify(now, fmt.Appendf(nil, `{"intents":%s,"presence":%s}`, word(2), presence))
	case "bot resume":
		if !s.Resume(now, word(2), number(3)) {
			return errors.New("cannot be resumed")
		}
	case "bot beat":
		s.Heartbeat(number(2))
	case "bot op":
		s.Request(now, int(number(2)), []byte(word(3)))
	case "bot ended", "bot closed":
		s.Ended(words[1] == "closed")
	case "bot died", "bot stopped":
		s.Died(words[1] == "stopped")
	case "limit " + word(1):
		s.Limit(int(number(1)))
	case "hold ", "release ":
		s.Hold(words[0] == "hold")
	case "ask ":
		s.Ask()
	default:
		switch {
		case words[0] == "restored":
			suspects := s.Suspects()
			*s = *New(s.cfg) // the next host's
			old := New(Config{})
			old.Dispatch(now, number(2), "READY", readyOf(words[1]))
			s.Restore(words[1], number(2), 513, old.cache, suspects)
		case words[0] == "discord" && strings.HasPrefix(word(2), "s"):
			s.Dispatch(now, number(1), "READY", readyOf(word(2)))
		case words[0] == "discord":
			d := word(3)
			if d == "" {
				d = "{}"
			}
			s.Dispatch(now, number(1), word(2), []byte(d))
		default:
			return fmt.Errorf("unknown: %s", line)
		}
	}
	return nil
}

func readyOf(session string) []byte {
	return fmt.Appendf(nil, `{"user":{"id":"7"},"session_id":%q,"guilds":[{"id":"1","unavailable":true},{"id":"2","unavailable":true}],"private_channels":[]}`, session)
}

func frameText(f Frame) string {
	data := string(f.Data)
	if len(data) > 60 && f.Kind != "READY" {
		data = data[:60] + "…"
	}
	if f.Op == OpDispatch {
		return fmt.Sprintf("%d %s %s", f.Seq, f.Kind, data)
	}
	return strings.TrimSpace(fmt.Sprintf("op %d %s", f.Op, data))
}

func effectText(e Effect) string {
	switch e := e.(type) {
	case Identify:
		return fmt.Sprintf("identify %d", e.Intents)
	case Send:
		return fmt.Sprintf("send op %d %s", e.Op, e.Data)
	case Skipped:
		return fmt.Sprintf("skipped %d %s: %s", e.Seq, e.Kind, e.Why)
	case Dropped:
		if e.Lost {
			return fmt.Sprintf("dropped %d with the session", e.Events)
		}
		return fmt.Sprintf("dropped %d", e.Events)
	}
	return fmt.Sprintf("%T", e)
}
