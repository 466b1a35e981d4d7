package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

const (
	// snowflakeLen is the maximum snowflake, which is a socket's name: 128 bits in decimal
	// (PROTOCOL A5).
	snowflakeLen = 39
	// beatMin is the minimum interval of a heartbeat: shorter ones would make the beats of a large
	// fleet its main load.
	beatMin = 100 * time.Millisecond
	// waitMax limits the durations that no other limit holds for: what takes longer is a mistake, and
	// would look like a hang. MASTER and SDK bots take no longer interval of heartbeats, either.
	waitMax = time.Hour
	// marginMax limits what goes into the pace of identifies: a start of n shards waits n times.
	marginMax = time.Minute
	// weightMax limits a machine's weight.
	weightMax = 1000
	// logMin is the minimum size of a log: less would not hold the last lines of a bot that died.
	logMin Size = 1 << 20
	// gatewayMin is the minimum memory of a gateway host: the events of one shard.
	gatewayMin Size = 4 << 20
)

// sourceForm matches a machine's name: it is sent in a header and names an actor, a log field and a
// row of a table.
var sourceForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// Validate returns all mistakes with which no command could run. Load calls it; call it again after
// a change.
func (c *Config) Validate() error {
	v := newValidation(c)
	v.discord()
	v.master()
	v.cluster()
	v.durations()
	v.folders()
	v.fleet()
	v.admin()
	v.hooks()
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, FormatAuto, FormatJSON, FormatConsole)
	return errors.Join(v.faults...)
}

// ValidateRun returns the mistakes of Validate and of what `control run` needs beyond it.
func (c *Config) ValidateRun() error {
	v := newValidation(c)
	v.want(len(c.Cluster.Command) > 0, "cluster.command", "nothing to run: name the bot's command, or pass it after --")
	if c.Embedded() {
		v.want(c.Discord.Token != "", "discord.token", "the embedded MASTER needs it: set DISCORD_TOKEN or discord.token_file, or master.url for a MASTER elsewhere")
		v.want(c.Fleet.Expect <= 1, "fleet.expect", "an embedded MASTER serves this machine alone: for more run `control master` and set master.url")
	}
	return errors.Join(append([]error{c.Validate()}, v.faults...)...)
}

// ValidateMaster returns the mistakes of Validate and of what `control master` needs beyond it.
func (c *Config) ValidateMaster() error {
	v := newValidation(c)
	v.want(c.Discord.Token != "", "discord.token", "MASTER needs it: set DISCORD_TOKEN or discord.token_file")
	v.want(c.Master.Authorization != "", "master.authorization", "without it any client that reaches MASTER gets the bot's token: set it or master.authorization_file")
	return errors.Join(append([]error{c.Validate()}, v.faults...)...)
}

// validation collects the faults of c.
type validation struct {
	c      *Config
	fields map[string]field
	faults []error
}

func newValidation(c *Config) *validation {
	v := &validation{c: c, fields: map[string]field{}}
	for _, f := range c.fields() {
		v.fields[f.key] = f
	}
	return v
}

// want adds a fault that the key breaks the rule, unless ok.
func (v *validation) want(ok bool, key, rule string, args ...any) {
	if ok {
		return
	}
	f := v.fields[key]
	v.faults = append(v.faults, &fault{key: key, value: show(f, f.value.Interface()), from: v.c.origins[key], rule: fmt.Sprintf(rule, args...)})
}

func (v *validation) oneOf(key, value string, values ...string) {
	v.want(slices.Contains(values, value), key, "want one of %s", strings.Join(values, ", "))
}

func (v *validation) count(key string, n int, zero string) {
	v.want(0 <= n && n <= messages.CountMax, key, "want 1 to %d, or %s", messages.CountMax, zero)
}

func (v *validation) discord() {
	d := v.c.Discord
	v.want(headerText(d.Token.Reveal()), "discord.token", "want visible ASCII characters and no space: a token without \"Bot \"")
	u, err := url.Parse(d.API)
	ok := err == nil && (u.Scheme == "https" || u.Scheme == "http") && goodHost(u) && u.Path == "" && u.RawQuery == "" && u.Fragment == ""
	v.want(ok, "discord.api", "want http:// or https:// and a host, no path: /api/v10 is appended")
}

func (v *validation) master() {
	m := v.c.Master
	v.want(headerText(m.Authorization.Reveal()), "master.authorization", "want visible ASCII characters and no space: it is sent as a header")
	v.want(v.c.Machine.Weight >= 0 && v.c.Machine.Weight <= weightMax, "machine.weight", "want 1 to %d, or 0 to go by processors and memory", weightMax)
	v.want(sourceForm.MatchString(v.c.Machine.Source), "machine.source", "want 1 to 128 letters, digits or . _ : -")
	if v.c.Embedded() {
		return
	}
	u, err := url.Parse(m.URL)
	if err != nil || (u.Scheme != "ws" && u.Scheme != "wss") || !goodHost(u) || u.Fragment != "" {
		v.want(false, "master.url", "want ws:// or wss:// and a host, such as wss://master.example:8642; no user, that is master.authorization")
		return
	}
	v.want(u.Scheme == "wss" || loopback(u.Hostname()) || m.Insecure, "master.url",
		"ws:// beyond loopback lets others read the bot's token: want wss://, or master.insecure: true where you own the network")
}

// headerText reports whether s can be the whole of a header. The empty text can: it is not sent.
func headerText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// goodHost reports whether the URL names a host, with or without a port, and no user.
func goodHost(u *url.URL) bool {
	return u.Hostname() != "" && u.User == nil && u.Opaque == "" && (u.Port() == "" || goodPort(u.Port(), 1))
}

func goodPort(s string, least int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= least && n <= 65535
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func (v *validation) cluster() {
	c := v.c.Cluster
	v.want(len(c.Command) == 0 || strings.TrimSpace(c.Command[0]) != "", "cluster.command", "want a program as its first text")
	v.want(!slices.ContainsFunc(c.Command, hasZero), "cluster.command", "want texts without a zero byte")
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		var rule string
		switch {
		case slices.Contains(messages.ReservedEnv, name):
			rule = "CONTROL itself sets this variable for every cluster: choose another name"
		case strings.HasPrefix(name, envPrefix):
			rule = "no variable of CONTROL's own reaches a bot: choose a name that does not begin with " + envPrefix
		case name == "" || strings.Contains(name, "=") || hasZero(name+c.Env[name]):
			rule = "want a name without \"=\", and no zero byte"
		default:
			continue
		}
		from := v.c.origins["cluster.env."+name]
		if from == "" {
			from = v.c.origins["cluster.env"]
		}
		v.faults = append(v.faults, &fault{key: "cluster.env." + name, from: from, rule: rule})
	}
	v.count("cluster.shards_per_cluster", c.ShardsPerCluster, "0 to derive it")
	v.oneOf("cluster.token", c.Token, TokenByEnv, TokenByHello)
	v.protocol()
	v.oneOf("cluster.on_stop", c.OnStop, OnStopDrain, OnStopDetach)
	v.want(c.OnStop != OnStopDetach || runtime.GOOS == "linux", "cluster.on_stop", "no process can be found again on %s: want drain", runtime.GOOS)
	v.oneOf("cluster.logs", c.Logs, LogsFile, LogsInherit)
	v.want(c.LogMax == 0 || c.LogMax >= logMin, "cluster.log_max", "want at least %v, or 0 for no limit", logMin)
	v.want(c.LogKeep == 0 || c.LogKeep >= logMin, "cluster.log_keep", "want at least %v, or 0 for no limit", logMin)
	v.oneOf("cluster.on_lost", c.OnLost, messages.OnLostAutonomous, messages.OnLostExit)
	if c.OnLost == messages.OnLostExit {
		v.want(c.LostAfter > 0, "cluster.lost_after", "want more than 0s")
		v.want(c.LostAfter < v.c.Fleet.Grace, "cluster.lost_after", "a lost bot must end before MASTER reassigns its shards: want less than fleet.grace %s", v.c.Fleet.Grace)
	} else {
		v.want(c.LostAfter == 0, "cluster.lost_after", "only for cluster.on_lost: exit; here it is %s", c.OnLost)
	}
}

// protocol reports keys that belong to another kind of bot.
func (v *validation) protocol() {
	c, is := v.c.Cluster, messages.Protocol(v.c.Bot.Protocol)
	v.oneOf("cluster.protocol", c.Protocol, Protocols()...)
	v.oneOf("cluster.guest", c.Guest, Guests()...)
	v.want(is == ProtocolGateway || c.Guest == GuestAuto || c.Guest == GuestNone, "cluster.guest", "only for cluster.protocol: gateway; here it is %s", is)
	only := func(of messages.Protocol, key, value string) {
		v.want(is == of || value == "", key, "only for cluster.protocol: %s; here it is %s", of, is)
	}
	only(messages.ProtocolDiscordoo, "cluster.socket_prefix", c.SocketPrefix)
	only(messages.ProtocolEnv, "cluster.ready", c.Ready)
	only(messages.ProtocolEnv, "cluster.probe", c.Probe)
	v.want(is == ProtocolGateway || c.Gateway.Memory == 0, "cluster.gateway.memory", "only for cluster.protocol: gateway; here it is %s", is)
	v.want(c.Gateway.Memory == 0 || c.Gateway.Memory >= gatewayMin, "cluster.gateway.memory", "want at least %v, or 0 for 32MiB a shard", gatewayMin)
	v.want(is == messages.ProtocolSDK || c.Token == TokenByEnv, "cluster.token", "only for cluster.protocol: sdk; this kind of bot reads DISCORD_TOKEN: want env")
	if is == messages.ProtocolDiscordoo {
		n := len(c.SocketPrefix) + snowflakeLen
		v.want(filepath.IsAbs(c.SocketPrefix) && n <= messages.SocketMax, "cluster.socket_prefix", "want a path from the root of at most %d bytes", messages.SocketMax-snowflakeLen)
	}
	if is == messages.ProtocolEnv {
		rule, err := c.ReadyRule()
		v.want(err == nil, "cluster.ready", "%v", err)
		v.want(rule.Log == nil || c.Logs == LogsFile, "cluster.ready", "the bot's output is not kept with cluster.logs: %s: want file there, or another rule", c.Logs)
		v.want(c.Probe == "" || goodBotURL(c.Probe), "cluster.probe", "want an http:// address of the bot")
	}
}

func hasZero(s string) bool { return strings.ContainsRune(s, 0) }

func (v *validation) durations() {
	for _, rule := range []struct {
		key         string
		least, most time.Duration
	}{
		{"cluster.hello_timeout", time.Second, waitMax},
		{"cluster.ready_timeout", time.Second, waitMax},
		{"cluster.heartbeat_interval", beatMin, waitMax},
		{"cluster.stop_grace", 0, waitMax},
		{"cluster.kill_grace", 0, waitMax},
		{"identify.margin", 0, marginMax},
		{"identify.permit_ttl", beatMin, marginMax},
		{"hooks.timeout", beatMin, waitMax},
		{"fleet.wait", 0, waitMax},
		{"fleet.grace", time.Second, messages.OfferedFor},
		{"fleet.lease", 0, messages.OfferedFor},
		{"fleet.heartbeat_interval", beatMin, messages.OfferedFor},
	} {
		d := time.Duration(v.fields[rule.key].value.Int())
		v.want(rule.least <= d && d <= rule.most, rule.key, "want %s to %s", rule.least, rule.most)
	}
}

func (v *validation) stateDir() {
	v.want(v.c.State.Dir != "", "state.dir", "no default without $STATE_DIRECTORY, $XDG_STATE_HOME or $HOME: set it")
}

func (v *validation) folders() {
	v.stateDir()
	sockets := v.c.Sockets.Dir
	if n := len(sockets) + len("/") + snowflakeLen; n > messages.SocketMax {
		v.want(false, "sockets.dir", "too long: with a socket's name of %d it makes %d bytes, the limit is %d; want at most %d",
			snowflakeLen, n, messages.SocketMax, messages.SocketMax-snowflakeLen-len("/"))
	}
}

func (v *validation) fleet() {
	f := v.c.Fleet
	_, port, err := net.SplitHostPort(f.Listen)
	v.want(err == nil && goodPort(port, 0), "fleet.listen", "want host:port, such as :8642 or 127.0.0.1:8642")
	v.count("fleet.expect", f.Expect, "0 if unknown")
	v.count("fleet.shards", f.Shards, "0 to ask Discord")
	v.count("fleet.max_concurrency", f.MaxConcurrency, "0 to ask Discord")
	v.count("fleet.spares", f.Spares, "0 for none")
	v.want(f.Expect <= 0 || f.Spares < f.Expect, "fleet.spares", "at least one machine must serve: want less than fleet.expect %d", f.Expect)
	v.oneOf("fleet.on_master_loss", f.OnMasterLoss, OnMasterLossKeep, OnMasterLossFence)
	if f.OnMasterLoss == OnMasterLossFence {
		beats := v.c.Cluster.HeartbeatInterval
		v.want(f.Lease >= 2*(f.HeartbeatInterval+beats), "fleet.lease",
			"it is renewed by heartbeats, MASTER's and then the bot's, and one of each may be late: want at least twice fleet.heartbeat_interval %s and cluster.heartbeat_interval %s", f.HeartbeatInterval, beats)
		v.want(f.Lease+messages.LeaseMargin <= f.Grace, "fleet.lease", "a machine must have stopped before its shards are reassigned: want at most fleet.grace %s less %s", f.Grace, messages.LeaseMargin)
	}
	v.want(f.HeartbeatInterval+messages.DeadAfter+f.Grace < messages.OfferedFor, "fleet.grace",
		"a dead machine's sessions would be lost: fleet.heartbeat_interval %s + %s + fleet.grace %s = %s, want less than their lifetime of %s",
		f.HeartbeatInterval, messages.DeadAfter, f.Grace, f.HeartbeatInterval+messages.DeadAfter+f.Grace, messages.OfferedFor)
}

// hostForm matches a name or an IP address as a request names it, without a port.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,253}$`)

func (v *validation) admin() {
	a := v.c.Admin
	v.want(headerText(a.Token.Reveal()), "admin.token", "want visible ASCII characters and no space: it is sent as a header")
	for _, host := range a.Hosts {
		v.want(hostForm.MatchString(host) && (strings.Count(host, ":") != 1), "admin.hosts", "want names such as control.example, without a port; %q is not one", host)
	}
	v.want((a.TLSCert == "") == (a.TLSKey == ""), "admin.tls_cert", "want admin.tls_cert and admin.tls_key, or neither")
	if a.Listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(a.Listen)
	if err != nil || !goodPort(port, 0) {
		v.want(false, "admin.listen", "want host:port, such as 127.0.0.1:8643, or nothing")
		return
	}
	if loopback(host) {
		return
	}
	v.want(a.Token != "", "admin.listen", "beyond loopback others could stop the bot: set admin.token or admin.token_file")
	v.want(a.TLSCert != "" || a.Insecure, "admin.listen",
		"plain HTTP beyond loopback lets others read the token: set admin.tls_cert and admin.tls_key, or admin.insecure: true where you own the network")
}

func (v *validation) hooks() {
	h := v.c.Hooks
	v.want(len(h.Exec) == 0 || strings.TrimSpace(h.Exec[0]) != "", "hooks.exec", "want a program as its first text")
	v.want(!slices.ContainsFunc(h.Exec, hasZero), "hooks.exec", "want texts without a zero byte")
	known := messages.EventNames()
	for _, name := range h.Events {
		if !slices.Contains(known, name) {
			v.want(false, "hooks.events", "no event has the name %q; did you mean %s?", name, strings.Join(nearest(name, known), ", "))
		}
	}
	if h.Webhook == "" {
		return
	}
	u, err := url.Parse(h.Webhook.Reveal())
	ok := err == nil && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())) && goodHost(u) && u.Fragment == ""
	v.want(ok, "hooks.webhook", "want https:// and a host, or http:// on this machine")
}
