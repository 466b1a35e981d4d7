package cmd

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/config"
)

// discordStub is a Discord that answers doctor's requests.
type discordStub struct {
	status    int
	ahead     time.Duration // of its clock
	remaining int
}

func (d discordStub) start(t *testing.T) (base string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(d.ahead).UTC().Format(http.TimeFormat))
		if r.URL.Path != "/api/v10/gateway/bot" || r.Header.Get("Authorization") != "Bot the-token" {
			t.Errorf("%s with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		if d.status != 0 {
			w.WriteHeader(d.status)
			return
		}
		fmt.Fprintf(w, `{"url":"wss://x","shards":20,"session_start_limit":{"total":1000,"remaining":%d,"reset_after":3600000,"max_concurrency":2}}`, d.remaining)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// closedAddress returns an address of this machine at which nothing listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// takenAddress returns an address of this machine at which the test listens.
func takenAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// Doctor finds each problem, returns what to do, and reports nothing else as bad.
func TestDoctor(t *testing.T) {
	for name, c := range map[string]struct {
		discord discordStub
		env     func(dir string) []string
		check   string
		state   string
		found   string // in it
	}{
		"all is well":            {discord: discordStub{remaining: 900}, check: "Discord", state: fine, found: "answers in"},
		"a broken configuration": {env: func(string) []string { return []string{"CONTROL_LOG__LEVEL=loud"} }, check: "configuration", state: bad, found: `log.level "loud"`},
		"a missing program":      {env: func(string) []string { return []string{"CONTROL_CLUSTER__COMMAND=no-such-bot"} }, check: "command", state: bad, found: "no-such-bot"},
		"a program in its folder": {env: func(dir string) []string {
			return []string{"CONTROL_CLUSTER__COMMAND=./bot", "CONTROL_CLUSTER__DIR=" + dir}
		}, check: "command", state: fine, found: "/bot"},
		"an open folder":   {env: func(dir string) []string { return []string{"CONTROL_STATE__DIR=" + dir + "/open"} }, check: "folders", state: doubtful, found: "is accessible to others"},
		"a file as folder": {env: func(dir string) []string { return []string{"CONTROL_STATE__DIR=" + dir + "/bot"} }, check: "folders", state: bad, found: "is not a folder"},
		"a missing folder": {env: func(dir string) []string { return []string{"CONTROL_STATE__DIR=" + dir + "/none"} }, check: "folders", state: doubtful, found: "does not exist"},
		"no CONTROL":       {check: "CONTROL", state: doubtful, found: "no CONTROL runs on it"},
		"no certificate": {env: func(dir string) []string {
			return []string{"CONTROL_ADMIN__TLS_CERT=" + dir + "/bot", "CONTROL_ADMIN__TLS_KEY=" + dir + "/bot"}
		}, check: "API", state: bad, found: "admin.tls_cert"},
		"an API without address":  {env: func(string) []string { return []string{"CONTROL_ADMIN__LISTEN="} }, check: "API", state: fine, found: "only by the socket"},
		"a token that is refused": {discord: discordStub{status: 401}, check: "Discord", state: bad, found: "does not know it"},
		"Discord is down":         {discord: discordStub{status: 503}, check: "Discord", state: bad, found: "503"},
		"a clock behind":          {discord: discordStub{remaining: 900, ahead: time.Minute}, check: "Discord", state: bad, found: "our clock is -"},
		"a clock ahead":           {discord: discordStub{remaining: 900, ahead: -time.Minute}, check: "Discord", state: bad, found: "our clock is "},
		"a budget that is low":    {discord: discordStub{remaining: 19}, check: "Discord", state: doubtful, found: "19 identifies are left of 1000"},
		"no MASTER":               {env: func(string) []string { return []string{"CONTROL_MASTER__URL=ws://" + closedAddress(t)} }, check: "MASTER", state: bad, found: "refused"},
		"an embedded MASTER":      {check: "MASTER", state: fine, found: "inside"},
		"a taken address":         {env: func(string) []string { return []string{"CONTROL_ADMIN__LISTEN=" + takenAddress(t)} }, check: "API", state: doubtful, found: "address already in use"},
		"an invalid address":      {env: func(string) []string { return []string{"CONTROL_ADMIN__LISTEN=127.0.0.1:1x"} }, check: "configuration", state: bad, found: "admin.listen"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, err := range []error{os.WriteFile(filepath.Join(dir, "bot"), nil, 0o700), os.Mkdir(filepath.Join(dir, "open"), 0o755), os.Mkdir(filepath.Join(dir, "state"), 0o700), os.Mkdir(filepath.Join(dir, "s"), 0o700)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if c.discord == (discordStub{}) {
				c.discord.remaining = 900
			}
			env := []string{"HOME=" + dir, "DISCORD_TOKEN=the-token", "DISCORD_API=" + c.discord.start(t), "CONTROL_STATE__DIR=" + dir + "/state", "CONTROL_SOCKETS__DIR=" + dir + "/s",
				"CONTROL_MACHINE__SOURCE=m1", "CONTROL_CLUSTER__COMMAND=" + dir + "/bot", "CONTROL_ADMIN__LISTEN=127.0.0.1:0"}
			if c.env != nil {
				env = append(env, c.env(dir)...)
			}
			all := examine(t.Context(), func() (*config.Config, error) {
				conf, err := config.Load("", env, nil)
				if err != nil {
					err = usageError(err)
				}
				return conf, err
			})
			seen := false
			for _, f := range all {
				matches := f.Check == c.check && f.State == c.state && strings.Contains(f.Found, c.found)
				seen = seen || matches
				if f.State == bad && !matches {
					t.Errorf("%+v", f)
				}
				if (f.Cure == "") != (f.State == fine) {
					t.Errorf("what to do: %+v", f)
				}
				if strings.Contains(f.Found+f.Cure, "the-token") {
					t.Errorf("the token: %+v", f)
				}
			}
			if !seen {
				t.Errorf("want %s %s %q in %+v", c.check, c.state, c.found, all)
			}
		})
	}
}
