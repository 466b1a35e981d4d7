package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/discluster/control/transport/discord/server"
)

// discord is a simulated Discord in a process of its own.
type discord struct {
	*process
	base   string // http://127.0.0.1:port, or https
	client *http.Client
}

// startDiscord starts a simulated Discord on a free port.
func startDiscord(t *testing.T, shards, maxConcurrency int, args ...string) *discord {
	t.Helper()
	args = append([]string{"discord", "--listen", "127.0.0.1:0", "--token", token, "--shards", strconv.Itoa(shards), "--max-concurrency", strconv.Itoa(maxConcurrency)}, args...)
	d := &discord{process: control(t, []string{"TMPDIR=" + t.TempDir()}, args...), client: direct}
	eventually(t, "simulated Discord listens", func() bool {
		_, rest, _ := strings.Cut(d.stdout.String(), "simulated Discord at ")
		d.base, _, _ = strings.Cut(rest, " ")
		return d.base != ""
	})
	if strings.HasPrefix(d.base, "https:") {
		d.client = trusting(t, d.certificate())
	}
	return d
}

// certificate returns the path of the certificate of a Discord with --tls.
func (d *discord) certificate() string {
	_, rest, _ := strings.Cut(d.stdout.String(), "NODE_EXTRA_CA_CERTS=")
	path, _, _ := strings.Cut(rest, " ")
	return path
}

// trusting returns a client like direct that trusts this certificate.
func trusting(t *testing.T, path string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s has no certificate", path)
	}
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

// stats returns its score.
func (d *discord) stats() (s server.Stats) {
	d.t.Helper()
	r, err := d.client.Get(d.base + "/stats")
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		d.t.Fatal(err)
	}
	return s
}

// fault injects a fault.
func (d *discord) fault(format string, args ...any) {
	d.t.Helper()
	r, err := d.client.Post(d.base+"/faults", "application/json", strings.NewReader(fmt.Sprintf(format, args...)))
	if err != nil {
		d.t.Fatal(err)
	}
	if r.Body.Close(); r.StatusCode != http.StatusNoContent {
		d.t.Fatalf("fault: %s", r.Status)
	}
}

// allReady waits until every shard was READY.
func (d *discord) allReady() {
	d.t.Helper()
	eventually(d.t, "every shard READY", func() bool { return d.stats().AllReadyAt != nil })
}

// wellBehaved expects every shard to have identified once, and no rule broken.
func (d *discord) wellBehaved() {
	d.t.Helper()
	s := d.stats()
	if s.Identifies != s.ShardCount || s.Violations != 0 || s.Duplicates != 0 {
		d.t.Errorf("%d identifies of %d shards, %d violations, %d duplicates", s.Identifies, s.ShardCount, s.Violations, s.Duplicates)
	}
}

// settings returns the settings that make CONTROL's clusters use this Discord.
func (d *discord) settings() settings {
	return settings{"discord.api": d.base, "discord.token": token, "cluster.env.DISCORD_API": d.base}
}

// The reference bot runs against a simulated Discord, configured by the environment as in README:
// every shard READY, and an end within the grace.
func TestRunReferenceBot(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 8, 4)
	p := control(t, []string{"DISCORD_TOKEN=" + token, "DISCORD_API=" + d.base, "CONTROL_STATE__DIR=" + folder(t)}, "run", "--", binary, "bot")
	d.allReady()
	if n := len(p.clusters()); n != 2 {
		t.Errorf("%d cluster processes of 4 shards, want 2", n)
	}
	t.Logf("stopped in %v", p.stop())
	if all := p.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
	d.wellBehaved()
	eventually(t, "Discord sees the connections go", func() bool { return d.stats().Connections == 0 })
}

// A token that Discord refuses: MASTER fails before any bot starts. If MASTER did not have to ask
// Discord, the bots fail, stop, and are not restarted.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 4, 2)
	d.fault(`{"kind":"refuse_token"}`)

	p := run(t, d.settings(), binary, "bot")
	if code := p.exit(); code == 0 || !strings.Contains(p.stderr.String(), "control: discord.token") {
		t.Errorf("exit %d", code)
	}
	p.gone()

	p = run(t, lonely(d.settings()), binary, "bot")
	if fatal := p.line("cluster.fatal"); fatal["close_code"] != 4004.0 {
		t.Errorf("fatal: %v", fatal)
	}
	eventually(t, "both clusters end", func() bool { return len(p.clusters()) == 0 })
	p.stop()
	if n := len(p.lines("cluster.died")) + len(p.lines("cluster.gave_up")); n > 0 {
		t.Errorf("tried again %d times", n)
	}
	if s := d.stats(); s.Identifies > 0 {
		t.Errorf("%d identifies", s.Identifies)
	}
}
