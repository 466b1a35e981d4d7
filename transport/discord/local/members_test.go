package local

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A bot that asks for all members of ever more guilds takes no more memory, and is sent to Discord
// as before.
func TestRequestsForAllMembersAreLimited(t *testing.T) {
	s, now := New(Config{Ring: 1000}), time.Unix(1_700_000_000, 0)
	for _, line := range []string{"bot identify 513", "discord 1 s1"} {
		if err := step(s, now, line); err != nil {
			t.Fatal(err)
		}
	}
	s.Effects()
	for guild := range 2 * wholeMax {
		s.Request(now, opMembers, fmt.Appendf(nil, `{"guild_id":"%d","query":"","limit":0}`, guild+1))
	}
	if n := len(s.whole); n != wholeMax {
		t.Errorf("%d guilds are kept, want %d", n, wholeMax)
	}
	if n := len(s.Effects()); n != 2*wholeMax {
		t.Errorf("%d requests are sent, want %d", n, 2*wholeMax)
	}
	for _, line := range []string{"bot died", "bot identify 513"} { // which cannot know what was asked
		if err := step(s, now, line); err != nil {
			t.Fatal(err)
		}
	}
	s.Effects()
	for guild, length := range []int{1, 4000} {
		s.Request(now, opMembers, fmt.Appendf(nil, `{"guild_id":"%d","query":"","limit":0,"nonce":%q}`, guild+1, strings.Repeat("n", length)))
	}
	if held, sent := len(s.held), len(s.Effects()); held != 1 || sent != 1 {
		t.Errorf("%d requests are held back and %d are sent; want one, and the long one", held, sent)
	}
	s.Request(now.Add(wholeEvery), opMembers, []byte(`{"guild_id":"1","query":"","limit":0}`))
	if n := len(s.whole); n != 1 {
		t.Errorf("%d guilds are kept after their time, want 1", n)
	}
}
