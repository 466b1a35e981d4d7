package config

import (
	"slices"
	"testing"

	"github.com/discluster/control/messages"
)

func TestSecrets(t *testing.T) {
	c := defaults()
	c.Discord.Token, c.Master.Authorization, c.Admin.Token = "bot-token", "sesame", "admin-token"
	c.Hooks.Webhook = "https://discord.com/api/webhooks/123456789012345678/aBcDeFgHiJkLmNoPqRsTuVwXyZ-0123456789?wait=true"
	c.Cluster.Env = map[string]string{"DB_PASSWORD": "correct horse", "DATABASE_URL": "postgres://bot:battery-staple@db/bot", "LOCALE": "en_GB.UTF-8", "stripe_api_key": "sk_live_1"}
	got := c.Secrets()
	for _, want := range []messages.Secret{"bot-token", "sesame", "admin-token", "aBcDeFgHiJkLmNoPqRsTuVwXyZ-0123456789", "correct horse", "battery-staple", "sk_live_1"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not a secret", want.Reveal())
		}
	}
	if len(got) != 7 {
		t.Errorf("%d secrets, want 7", len(got))
	}
}
