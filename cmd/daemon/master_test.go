package daemon

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
)

// One program of a machine can hold a token, and others get its description. Another token or
// another Discord is another bot.
func TestTokenLock(t *testing.T) {
	with := func(token, api string) *config.Config {
		c := &config.Config{}
		c.Discord.Token, c.Discord.API = messages.Secret("test-of-the-token-lock"+token), api
		c.State.Dir = "/var/lib/first"
		return c
	}
	release, err := lockToken(with("", "http://a"), "CONTROL", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockToken(with("", "http://a/"), "MASTER", zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "CONTROL with pid") || !strings.Contains(err.Error(), "/var/lib/first") {
		t.Errorf("the second: %v", err)
	}
	for name, c := range map[string]*config.Config{"another token": with("2", "http://a"), "another Discord": with("", "http://b")} {
		other, err := lockToken(c, "CONTROL", zerolog.Nop())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		other()
	}
	release()
	if release, err = lockToken(with("", "http://a"), "CONTROL", zerolog.Nop()); err != nil {
		t.Fatalf("once it is free: %v", err)
	}
	release()
}
