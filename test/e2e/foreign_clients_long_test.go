//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// library is an unmodified client library with a bot that reports what it does, in the lines of
// node/clients/lines.mjs.
type library struct {
	name      string
	from      registry
	compress  string
	tls       bool   // the simulated Discord serves only https and wss, as the library needs
	resumes   bool   // it resumes after op 9 true; else it identifies again
	elsewhere bool   // it resumes at the address of /gateway/bot instead of READY's
	refused   string // its text for 4014
}

// registry is the source of a library.
type registry int

const (
	npm       registry = iota // node/clients/<name>.mjs
	goModules                 // ../foreign/<name>
	debian                    // python/<name>.py
)

var libraries = []library{
	{name: "discordjs", resumes: true, refused: "disallowed intents"},
	{name: "ws", resumes: true, refused: "disallowed intents"},
	{name: "ws", compress: "zlib-stream", resumes: true, refused: "disallowed intents"},
	{name: "eris", tls: true, refused: "isallowed intent"},
	{name: "oceanic", resumes: true, refused: "isallowed intent"},
	{name: "oceanic", compress: "zlib-stream", resumes: true, refused: "isallowed intent"},
	{name: "disgo", from: goModules, resumes: true, refused: "close 4014"},
	{name: "disgo", from: goModules, compress: "zlib-stream", tls: true, resumes: true, refused: "close 4014"},
	{name: "discordgo", from: goModules, tls: true, elsewhere: true, refused: "close 4014"},
	{name: "arikawa", from: goModules, elsewhere: true, refused: "reason: 4014"},
	{name: "discordpy", from: debian, tls: true, resumes: true, refused: "privileged intents"},
}

// command returns the command line of the client.
func (c library) command(t *testing.T) []string {
	t.Helper()
	switch c.from {
	case goModules:
		return []string{foreign(t, c.name)}
	case debian:
		return []string{python(t), "python/" + c.name + ".py"}
	default:
		return []string{node(t), "node/clients/" + c.name + ".mjs"}
	}
}

func (c library) String() string { return strings.TrimSuffix(c.name+", "+c.compress, ", ") }

// guest is a running client.
type guest struct {
	*process
	d    *discord
	says func() string // its output
}

// host starts a simulated Discord for a client: two shards of three guilds with 120 members each.
func (c library) host(t *testing.T, args ...string) *discord {
	t.Helper()
	args = append([]string{"--guilds", "3", "--guild-members", "120", "--jitter", "20ms"}, args...)
	if c.tls {
		args = append(args, "--tls")
	}
	return startDiscord(t, 2, 2, args...)
}

// visit starts the client.
func (c library) visit(d *discord) *guest {
	d.t.Helper()
	env := []string{"DISCORD_TOKEN=" + token, "DISCORD_API=" + d.base}
	if c.tls {
		env = append(env, "NODE_EXTRA_CA_CERTS="+d.certificate(), "SSL_CERT_FILE="+d.certificate())
	}
	command := c.command(d.t)
	if c.compress != "" {
		command = append(command, c.compress)
	}
	p := start(d.t, env, command[0], command[1:]...)
	return &guest{p, d, p.stdout.String}
}

// behind starts the client behind a gateway host.
func (c library) behind(d *discord) *guest {
	d.t.Helper()
	b := startMake(d.t, d, 2, 2, settings{"cluster.protocol": "gateway", "cluster.env.DISCORD_API": "-"}, c.command(d.t)...)
	return &guest{b.process, d, b.printed}
}

// words returns the words after a first word, of each line that begins with it.
func (g *guest) words(word string) (all [][]string) {
	for line := range strings.Lines(g.says()) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == word {
			all = append(all, words[1:])
		}
	}
	return all
}

// wants waits for lines that begin with a word and returns their other words.
func (g *guest) wants(word string, n int) [][]string {
	g.t.Helper()
	eventually(g.t, fmt.Sprintf("%d lines %q", n, word), func() bool { return len(g.words(word)) >= n })
	return g.words(word)
}

// heard expects the messages of each shard without a gap or a repeat, and returns their number.
func (g *guest) heard() (n int) {
	g.t.Helper()
	last := map[string]int64{}
	for _, words := range g.words("message") {
		number, err := strconv.ParseInt(words[1], 10, 64)
		if before, had := last[words[0]]; err != nil || had && number != before+1 {
			g.t.Errorf("shard %s heard message %s after %d", words[0], words[1], before)
		}
		last[words[0]] = number
		n++
	}
	return n
}

// Every library works with the simulated Discord: it gets its guilds and messages, registers
// commands, writes, sets its presence, joins a voice channel and gets all members. Its shards
// resume after op 7, closes and a lost connection, and get the events they missed; they identify
// again when Discord ends their sessions.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	for _, c := range libraries {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			g := c.visit(c.host(t, "--events", "2"))
			g.wants("done", 1)
			g.served()
			if said := g.stderr.String(); said != "" {
				t.Errorf("it complains: %s", said)
			}
			for _, fault := range []string{
				`{"kind":"reconnect"}`,
				`{"kind":"close","code":4000}`,
				`{"kind":"close","code":1006}`,
			} {
				g.resumes(fault)
			}
			g.replays()
			if c.resumes {
				g.resumes(`{"kind":"invalidate","resumable":true}`)
			}
			g.heard()
			for _, fault := range []string{
				`{"kind":"invalidate","resumable":false}`,
				`{"kind":"close","code":4009}`,
			} {
				g.identifies(fault)
			}
			g.stop()
			eventually(t, "Discord sees the connections go", func() bool { return g.d.stats().Connections == 0 })
			if s := g.d.stats(); s.Violations > 0 || s.Duplicates > 0 || s.RateLimited > 0 || s.TimedOut > 0 || s.ResumesElsewhere > 0 && !c.elsewhere {
				t.Errorf("%d violations, %d duplicates, %d rate limited, %d timed out, %d resumes elsewhere", s.Violations, s.Duplicates, s.RateLimited, s.TimedOut, s.ResumesElsewhere)
			}
		})
	}
}

// Every library works the same behind a gateway host, which passes on what it asks of Discord.
func TestForeignClientsBehindHost(t *testing.T) {
	t.Parallel()
	for _, c := range libraries {
		if c.compress != "" {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			c.tls = false // the host itself serves no https
			g := c.behind(c.host(t, "--events", "2"))
			g.wants("done", 1)
			g.served()
			g.heard()
			g.stop()
			g.d.wellBehaved()
		})
	}
}

// served expects everything that a client does when it is ready, without a complaint of its
// library.
func (g *guest) served() {
	g.t.Helper()
	var ids []string
	for _, words := range g.words("guild") {
		if ids = append(ids, words[0]); !slices.Equal(words[1:], []string{"4", "3", "50"}) {
			g.t.Errorf("guild %q, want 4 channels, 3 roles, 50 members", words)
		}
	}
	slices.Sort(ids)
	if want := []string{guilds.Text(guilds.ID(3)), guilds.Text(guilds.ID(1)), guilds.Text(guilds.ID(2))}; !slices.Equal(ids, want) {
		g.t.Fatalf("guilds %q, want %q", ids, want)
	}
	first := g.wants("voice", 1)[0][0]
	for word, want := range map[string]string{
		"commands": "1 1", "sent": "hello", "own": "hello", "members": "120",
		"voice": first + " " + voiceChannel(g.t, first),
	} {
		if output := g.wants(word, 1); len(output) != 1 || strings.Join(output[0], " ") != want {
			g.t.Errorf("%s %q, want once %q", word, output, want)
		}
	}
	presences := map[string]bool{}
	for _, words := range g.wants("presence", 3) {
		presences[strings.Join(words, " ")] = true
	}
	for _, id := range ids {
		if !presences[id+" dnd"] {
			g.t.Errorf("no presence in guild %s", id)
		}
	}
	if s := g.d.stats(); s.MessagesSent != 1 || s.Commands != 2 || s.Identifies != 2 || s.Resumes != 0 {
		g.t.Errorf("%d messages sent, %d commands, %d identifies, %d resumes", s.MessagesSent, s.Commands, s.Identifies, s.Resumes)
	}
	if complaints := append(g.words("error"), g.words("warning")...); len(complaints) > 0 {
		g.t.Errorf("it complains: %q", complaints)
	}
}

func voiceChannel(t *testing.T, guild string) string {
	t.Helper()
	id, err := strconv.ParseUint(guild, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return guilds.Text(guilds.VoiceChannel(id))
}

// resumes injects a fault that keeps the sessions, and expects both shards to resume.
func (g *guest) resumes(fault string) {
	g.t.Helper()
	before, resumed := g.d.stats(), len(g.words("resumed"))
	g.d.fault("%s", fault)
	g.wants("resumed", resumed+2)
	eventually(g.t, "both shards are served after "+fault, func() bool { return g.d.stats().Owned == 2 })
	if s := g.d.stats(); s.Resumes != before.Resumes+2 || s.Identifies != before.Identifies || s.ResumesRefused != before.ResumesRefused {
		g.t.Errorf("after %s: %d resumes, %d identifies, %d resumes refused", fault, s.Resumes-before.Resumes, s.Identifies-before.Identifies, s.ResumesRefused-before.ResumesRefused)
	}
}

// replays makes the shards miss events, and expects all of them after the resume.
func (g *guest) replays() {
	g.t.Helper()
	g.d.fault(`{"kind":"freeze"}`)
	missed := g.d.stats().Events.Delivered
	eventually(g.t, "some events are missed", func() bool { return g.d.stats().Events.Emitted >= missed+6 })
	g.resumes(`{"kind":"close","code":4000}`)
	replayed := 0
	for _, r := range g.d.stats().ResumeLog {
		replayed += r.Replayed
	}
	if replayed < 4 {
		g.t.Errorf("%d events were replayed, want those that were missed", replayed)
	}
	n := g.heard()
	eventually(g.t, "new events are heard", func() bool { return g.heard() > n+1 })
}

// identifies injects a fault that ends the sessions as soon as Discord accepts an IDENTIFY of each
// shard again, and expects both in new sessions.
func (g *guest) identifies(fault string) {
	g.t.Helper()
	before, identified := g.d.stats(), len(g.words("identified"))
	eventually(g.t, "the buckets are free", func() bool {
		return !slices.ContainsFunc(before.Shards, func(s rules.ShardScore) bool { return time.Since(s.LastReady) < 6*time.Second })
	})
	g.d.fault("%s", fault)
	g.wants("identified", identified+2)
	eventually(g.t, "both shards are served after "+fault, func() bool { return g.d.stats().Owned == 2 })
	if s := g.d.stats(); s.Identifies != before.Identifies+2 {
		g.t.Errorf("after %s: %d identifies", fault, s.Identifies-before.Identifies)
	}
}

// An application without the intents that its bot asks for (4014) gets the error.
func TestForeignClientsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range libraries {
		if c.compress != "" {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			d := c.host(t)
			d.fault(`{"kind":"refuse_identify","code":4014}`)
			g := c.visit(d)
			eventually(t, c.refused, func() bool { return strings.Contains(strings.ToLower(g.stdout.String()+g.stderr.String()), c.refused) })
			if s := d.stats(); s.Owned > 0 {
				t.Errorf("%d shards are served", s.Owned)
			}
		})
	}
}
