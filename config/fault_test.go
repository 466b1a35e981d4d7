package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestFaults(t *testing.T) {
	long := "/" + strings.Repeat("d", 67)
	for _, tc := range []struct {
		name    string
		yaml    string
		environ []string
		args    []string
		want    string // lines
	}{
		{"unknown section", "mastr: {url: ws://x}", nil, nil, `mastr (control.yaml): no such section; did you mean master?`},
		{"unknown section, nothing near", "webhook: {}", nil, nil, `webhook (control.yaml): no such section`},
		{"unknown key", "cluster: {hartbeat_interval: 5s}", nil, nil, `cluster.hartbeat_interval (control.yaml): no such key; did you mean cluster.heartbeat_interval?`},
		{"case counts", "Log: {level: info}", nil, nil, `Log (control.yaml): no such section; did you mean log?`},
		{"key with a dot", "master.url: ws://x", nil, nil, `master.url (control.yaml): a key has no dot in the file: want a section with the key below it`},
		{"no section", "log: debug", nil, nil, `log (control.yaml): want a section with keys below it`},
		{"unknown variable", "", []string{"CONTROL_MASTER_URL=wss://x"}, nil, `CONTROL_MASTER_URL (environment): no such variable; did you mean CONTROL_MASTER__URL?`},
		{"section as variable", "", []string{"CONTROL_MASTER=x"}, nil, `CONTROL_MASTER (environment): no such variable`},
		{"not YAML", "log: {level", nil, nil, `config file control.yaml: yaml: line 1: did not find expected ',' or '}'`},
		{"no map", "hunter2", nil, nil, `config file control.yaml: yaml: unmarshal errors: line 1: cannot unmarshal !!str … into map[string]interface {}`},
		{"twice", "log: {}\nlog: {}", nil, nil, `config file control.yaml: yaml: unmarshal errors: line 2: mapping key "log" already defined at line 1`},

		{"bare number", "fleet: {wait: 30}", nil, nil, `fleet.wait 30 (control.yaml): want a duration with its unit, such as 500ms, 30s or 5m`},
		{"bare number in a variable", "", []string{"CONTROL_FLEET__WAIT=30"}, nil, `fleet.wait "30" (CONTROL_FLEET__WAIT): want a duration with its unit, such as 500ms, 30s or 5m`},
		{"bare zero", "fleet: {wait: '0'}", nil, nil, `fleet.wait "0" (control.yaml): want a duration with its unit, such as 500ms, 30s or 5m`},
		{"fraction", "fleet: {shards: 3.7}", nil, nil, `fleet.shards 3.7 (control.yaml): want a whole number`},
		{"not a number", "", []string{"CONTROL_FLEET__SHARDS=many"}, nil, `fleet.shards "many" (CONTROL_FLEET__SHARDS): want a whole number`},
		{"not a boolean for evals", "ipc: {eval: maybe}", nil, nil, `ipc.eval "maybe" (control.yaml): want true or false`},
		{"not a boolean", "master: {insecure: yes}", nil, nil, `master.insecure "yes" (control.yaml): want true or false`},
		{"not a text", "machine: {source: 7}", nil, nil, `machine.source 7 (control.yaml): want a text; in quotes where it looks like something else`},
		{"secret that is not a text", "discord: {token: 123456}", nil, nil, `discord.token [redacted] (control.yaml): want a text; in quotes where it looks like something else`},
		{"number among a bot's variables", "cluster: {env: {PORT: 80}}", nil, nil, `cluster.env [redacted] (control.yaml): want a text below every name; numbers, true and false in quotes`},
		{"number in the command", "cluster: {command: [a, 1]}", nil, nil, `cluster.command [redacted] (control.yaml): want a list of texts, or one text without quotes that can be split at white space`},
		{"quotes in the command", "", []string{`CONTROL_CLUSTER__COMMAND=sh -c "x y"`}, nil, `cluster.command [redacted] (CONTROL_CLUSTER__COMMAND): want a list of texts, or one text without quotes that can be split at white space`},

		{"token twice", "discord: {token_file: testdata/token}", []string{"DISCORD_TOKEN=x"}, nil, `discord.token_file "testdata/token" (control.yaml): discord.token is set as well (DISCORD_TOKEN): want one of them`},
		{"authorization twice", "master: {authorization: x}", nil, []string{"--master.authorization_file=testdata/token"}, `master.authorization_file "testdata/token" (--master.authorization_file): master.authorization is set as well (control.yaml): want one of them`},
		{"secret file missing", "discord: {token_file: /none}", nil, nil, `discord.token_file "/none" (control.yaml): want a readable file: open /none: no such file or directory`},
		{"secret file empty", "discord: {token_file: /dev/null}", nil, nil, `discord.token_file "/dev/null" (control.yaml): want a file with a secret in it: this one is empty`},
		{"secret file endless", "discord: {token_file: /dev/zero}", nil, nil, `discord.token_file "/dev/zero" (control.yaml): want a readable file: /dev/zero: over 4096 bytes`},
		{"token with its scheme", "discord: {token: Bot abc}", nil, nil, `discord.token [redacted] (control.yaml): want visible ASCII characters and no space: a token without "Bot "`},
		{"authorization with a line break", "master: {authorization: \"a\\nb\"}", nil, nil, `master.authorization [redacted] (control.yaml): want visible ASCII characters and no space: it is sent as a header`},

		{"api with a path", "discord: {api: 'https://discord.com/api/v10'}", nil, nil, `discord.api "https://discord.com/api/v10" (control.yaml): want http:// or https:// and a host, no path: /api/v10 is appended`},
		{"api without a scheme", "", []string{"DISCORD_API=discord.com"}, nil, `discord.api "discord.com" (DISCORD_API): want http:// or https:// and a host, no path: /api/v10 is appended`},
		{"master over http", "master: {url: 'http://m'}", nil, nil, `master.url "http://m" (control.yaml): want ws:// or wss:// and a host, such as wss://master.example:8642; no user, that is master.authorization`},
		{"master without a host", "master: {url: 'ws://:8642'}", nil, nil, `master.url "ws://:8642" (control.yaml): want ws:// or wss:// and a host, such as wss://master.example:8642; no user, that is master.authorization`},
		{"master with a port too high", "master: {url: 'wss://m:65536'}", nil, nil, `master.url "wss://m:65536" (control.yaml): want ws:// or wss:// and a host, such as wss://master.example:8642; no user, that is master.authorization`},
		{"master with a password", "master: {url: 'wss://u:hunter2@m'}", nil, nil, `master.url "wss://[redacted]@m" (control.yaml): want ws:// or wss:// and a host, such as wss://master.example:8642; no user, that is master.authorization`},
		{"ws beyond loopback", "", nil, []string{"--master.url=ws://10.0.0.1:8642"}, `master.url "ws://10.0.0.1:8642" (--master.url): ws:// beyond loopback lets others read the bot's token: want wss://, or master.insecure: true where you own the network`},
		{"source", "machine: {source: blade 7}", nil, nil, `machine.source "blade 7" (control.yaml): want 1 to 128 letters, digits or . _ : -`},

		{"program without a name", "cluster: {command: ['', x]}", nil, nil, `cluster.command [redacted] (control.yaml): want a program as its first text`},
		{"zero byte in the command", `cluster: {command: ["a\0b"]}`, nil, nil, `cluster.command [redacted] (control.yaml): want texts without a zero byte`},
		{"a reserved variable", "cluster: {env: {SHARDS: '1'}}", nil, nil, `cluster.env.SHARDS (control.yaml): CONTROL itself sets this variable for every cluster: choose another name`},
		{"a reserved variable by variable", "", []string{"CONTROL_CLUSTER__ENV__DISCORD_TOKEN=x"}, nil, `cluster.env.DISCORD_TOKEN (CONTROL_CLUSTER__ENV__DISCORD_TOKEN): CONTROL itself sets this variable for every cluster: choose another name`},
		{"discord.js's switch", "cluster: {env: {SHARDING_MANAGER: '1'}}", nil, nil, `cluster.env.SHARDING_MANAGER (control.yaml): CONTROL itself sets this variable for every cluster: choose another name`},
		{"our own variable for a bot", "cluster: {env: {CONTROL_X: '1'}}", nil, nil, `cluster.env.CONTROL_X (control.yaml): no variable of CONTROL's own reaches a bot: choose a name that does not begin with CONTROL_`},
		{"a name with =", "cluster: {env: {A=B: '1'}}", nil, nil, `cluster.env.A=B (control.yaml): want a name without "=", and no zero byte`},
		{"no name", "", []string{"CONTROL_CLUSTER__ENV__=x"}, nil, `cluster.env. (CONTROL_CLUSTER__ENV__): want a name without "=", and no zero byte`},
		{"shards below zero", "cluster: {shards_per_cluster: -1}", nil, nil, `cluster.shards_per_cluster -1 (control.yaml): want 1 to 100000, or 0 to derive it`},
		{"protocol", "cluster: {protocol: discord.js}", nil, nil, `cluster.protocol "discord.js" (control.yaml): want one of auto, sdk, gateway, discordoo, env`},
		{"prefix without a socket", "cluster: {protocol: sdk, socket_prefix: /tmp/x}", nil, nil, `cluster.socket_prefix "/tmp/x" (control.yaml): only for cluster.protocol: discordoo; here it is sdk`},
		{"prefix not from the root", "cluster: {protocol: discordoo, socket_prefix: ddoo}", nil, nil, `cluster.socket_prefix "ddoo" (control.yaml): want a path from the root of at most 68 bytes`},
		{"prefix too long", "cluster: {protocol: discordoo, socket_prefix: '" + long + "x'}", nil, nil, `cluster.socket_prefix "` + long + `x" (control.yaml): want a path from the root of at most 68 bytes`},
		{"rule for an SDK bot", "cluster: {protocol: sdk, ready: after 3s}", nil, nil, `cluster.ready "after 3s" (control.yaml): only for cluster.protocol: env; here it is sdk`},
		{"not a rule", "cluster: {protocol: env, ready: soon}", nil, nil, `cluster.ready "soon" (control.yaml): want after 30s, log "regular expression", or an http:// address of the bot`},
		{"rule without a unit", "cluster: {protocol: env, ready: after 3}", nil, nil, `cluster.ready "after 3" (control.yaml): want after and a duration from 1s to 1h0m0s, such as after 30s`},
		{"rule without quotes", "cluster: {protocol: env, ready: log up}", nil, nil, `cluster.ready "log up" (control.yaml): want log and a regular expression in double quotes, at most 1024 bytes`},
		{"rule that is no expression", `cluster: {protocol: env, ready: 'log "("'}`, nil, nil, "cluster.ready \"log \\\"(\\\"\" (control.yaml): error parsing regexp: missing closing ): `(`"},
		{"rule on what is not kept", `cluster: {protocol: env, logs: inherit, ready: 'log "up"'}`, nil, nil, `cluster.ready "log \"up\"" (control.yaml): the bot's output is not kept with cluster.logs: inherit: want file there, or another rule`},
		{"probe of an SDK bot", "cluster: {protocol: sdk, probe: 'http://127.0.0.1:1'}", nil, nil, `cluster.probe "http://127.0.0.1:1" (control.yaml): only for cluster.protocol: env; here it is sdk`},
		{"rule for a bot behind a gateway host", "cluster: {protocol: gateway, ready: after 3s}", nil, nil, `cluster.ready "after 3s" (control.yaml): only for cluster.protocol: env; here it is gateway`},
		{"token by a socket that a gateway host has", "cluster: {protocol: gateway, token: hello}", nil, nil, `cluster.token "hello" (control.yaml): only for cluster.protocol: sdk; this kind of bot reads DISCORD_TOKEN: want env`},
		{"probe without a host", "cluster: {protocol: env, probe: 'http://:{9000+cluster}/'}", nil, nil, `cluster.probe "http://:{9000+cluster}/" (control.yaml): want an http:// address of the bot`},
		{"token by a missing socket", "cluster: {protocol: env, token: hello}", nil, nil, `cluster.token "hello" (control.yaml): only for cluster.protocol: sdk; this kind of bot reads DISCORD_TOKEN: want env`},
		{"way of the token", "cluster: {token: argv}", nil, nil, `cluster.token "argv" (control.yaml): want one of env, hello`},
		{"logs", "cluster: {logs: pipe}", nil, nil, `cluster.logs "pipe" (control.yaml): want one of file, inherit`},
		{"on_lost", "cluster: {on_lost: die}", nil, nil, `cluster.on_lost "die" (control.yaml): want one of autonomous, exit`},
		{"lost_after without exit", "cluster: {lost_after: 20s}", nil, nil, `cluster.lost_after 20s (control.yaml): only for cluster.on_lost: exit; here it is autonomous`},
		{"negative lost_after", "cluster: {on_lost: exit, lost_after: -1s}", nil, nil, `cluster.lost_after -1s (control.yaml): want more than 0s`},
		{"lost_after behind the grace", "cluster: {on_lost: exit, lost_after: 30s}", nil, nil, `cluster.lost_after 30s (control.yaml): a lost bot must end before MASTER reassigns its shards: want less than fleet.grace 30s`},
		{"timeout too short", "cluster: {hello_timeout: 1ms}", nil, nil, `cluster.hello_timeout 1ms (control.yaml): want 1s to 1h0m0s`},
		{"heartbeat too fast", "cluster: {heartbeat_interval: 99ms}", nil, nil, `cluster.heartbeat_interval 99ms (control.yaml): want 100ms to 1h0m0s`},
		{"negative margin", "identify: {margin: -1ms}", nil, nil, `identify.margin -1ms (control.yaml): want 0s to 1m0s`},
		{"permit too short", "identify: {permit_ttl: 0s}", nil, nil, `identify.permit_ttl 0s (control.yaml): want 100ms to 1m0s`},
		{"socket path", "sockets: {dir: " + long + "}", nil, nil, `sockets.dir "` + long + `" (control.yaml): too long: with a socket's name of 39 it makes 108 bytes, the limit is 107; want at most 67`},
		{"listen without a port", "fleet: {listen: localhost}", nil, nil, `fleet.listen "localhost" (control.yaml): want host:port, such as :8642 or 127.0.0.1:8642`},
		{"listen on a port by name", "fleet: {listen: ':http'}", nil, nil, `fleet.listen ":http" (control.yaml): want host:port, such as :8642 or 127.0.0.1:8642`},
		{"expect", "fleet: {expect: -1}", nil, nil, `fleet.expect -1 (control.yaml): want 1 to 100000, or 0 if unknown`},
		{"too many shards", "fleet: {shards: 160000}", nil, nil, `fleet.shards 160000 (control.yaml): want 1 to 100000, or 0 to ask Discord`},
		{"max_concurrency", "fleet: {max_concurrency: -16}", nil, nil, `fleet.max_concurrency -16 (control.yaml): want 1 to 100000, or 0 to ask Discord`},
		{"weight", "machine: {weight: -1}", nil, nil, `machine.weight -1 (control.yaml): want 1 to 1000, or 0 to go by processors and memory`},
		{"only spares", "fleet: {expect: 2, spares: 2}", nil, nil, `fleet.spares 2 (control.yaml): at least one machine must serve: want less than fleet.expect 2`},
		{"on_master_loss", "fleet: {on_master_loss: panic}", nil, nil, `fleet.on_master_loss "panic" (control.yaml): want one of keep, fence`},
		{"lease and grace", "fleet: {on_master_loss: fence, lease: 26s}", nil, nil, `fleet.lease 26s (control.yaml): a machine must have stopped before its shards are reassigned: want at most fleet.grace 30s less 5s`},
		{"lease and heartbeats", "fleet: {on_master_loss: fence, lease: 9s}", nil, nil, `fleet.lease 9s (control.yaml): it is renewed by heartbeats, MASTER's and then the bot's, and one of each may be late: want at least twice fleet.heartbeat_interval 5s and cluster.heartbeat_interval 5s`},
		{"grace and sessions", "fleet: {grace: 40s}", nil, nil, `fleet.grace 40s (control.yaml): a dead machine's sessions would be lost: fleet.heartbeat_interval 5s + 15s + fleet.grace 40s = 1m0s, want less than their lifetime of 1m0s`},
		{"API without a port", "admin: {listen: localhost}", nil, nil, `admin.listen "localhost" (control.yaml): want host:port, such as 127.0.0.1:8643, or nothing`},
		{"API for all, open", "admin: {listen: ':8643', insecure: true}", nil, nil, `admin.listen ":8643" (control.yaml): beyond loopback others could stop the bot: set admin.token or admin.token_file`},
		{"API for all, in the clear", "admin: {listen: '0.0.0.0:8643', token: x}", nil, nil, `admin.listen "0.0.0.0:8643" (control.yaml): plain HTTP beyond loopback lets others read the token: set admin.tls_cert and admin.tls_key, or admin.insecure: true where you own the network`},
		{"half a certificate", "admin: {tls_cert: c.pem}", nil, nil, `admin.tls_cert "c.pem" (control.yaml): want admin.tls_cert and admin.tls_key, or neither`},
		{"a host with a port", "admin: {hosts: ['a.example:80']}", nil, nil, `admin.hosts [redacted] (control.yaml): want names such as control.example, without a port; "a.example:80" is not one`},
		{"token of the API", "admin: {token: 'a b'}", nil, nil, `admin.token [redacted] (control.yaml): want visible ASCII characters and no space: it is sent as a header`},
		{"hook without a program", "hooks: {exec: ['', x]}", nil, nil, `hooks.exec [redacted] (control.yaml): want a program as its first text`},
		{"zero byte in a hook", `hooks: {exec: ["a\0b"]}`, nil, nil, `hooks.exec [redacted] (control.yaml): want texts without a zero byte`},
		{"a misspelt event", "hooks: {events: [cluster.died, cluster.gaveup]}", nil, nil, `hooks.events [redacted] (control.yaml): no event has the name "cluster.gaveup"; did you mean cluster.gave_up?`},
		{"hook without time", "hooks: {timeout: 0s}", nil, nil, `hooks.timeout 0s (control.yaml): want 100ms to 1h0m0s`},
		{"webhook in the clear", "hooks: {webhook: 'http://discord.example/hunter2'}", nil, nil, `hooks.webhook [redacted] (control.yaml): want https:// and a host, or http:// on this machine`},
		{"webhook with a password", "hooks: {webhook: 'https://u:p@discord.example/x'}", nil, nil, `hooks.webhook [redacted] (control.yaml): want https:// and a host, or http:// on this machine`},
		{"webhook that is no URL", "", []string{"CONTROL_HOOKS__WEBHOOK=hunter2"}, nil, `hooks.webhook [redacted] (CONTROL_HOOKS__WEBHOOK): want https:// and a host, or http:// on this machine`},
		{"webhook twice", "hooks: {webhook_file: testdata/webhook}", []string{"CONTROL_HOOKS__WEBHOOK=https://x/y"}, nil, `hooks.webhook_file "testdata/webhook" (control.yaml): hooks.webhook is set as well (CONTROL_HOOKS__WEBHOOK): want one of them`},
		{"on_stop", "cluster: {on_stop: leave}", nil, nil, `cluster.on_stop "leave" (control.yaml): want one of drain, detach`},
		{"log without a unit", "cluster: {log_max: 64}", nil, nil, `cluster.log_max 64 (control.yaml): want a size with its unit, KiB, MiB or GiB, such as 64MiB, or 0`},
		{"log of an unknown unit", "", []string{"CONTROL_CLUSTER__LOG_MAX=64MB"}, nil, `cluster.log_max "64MB" (CONTROL_CLUSTER__LOG_MAX): want a size with its unit, KiB, MiB or GiB, such as 64MiB, or 0`},
		{"log of half a unit", "cluster: {log_keep: 1.5GiB}", nil, nil, `cluster.log_keep "1.5GiB" (control.yaml): want a size with its unit, KiB, MiB or GiB, such as 64MiB, or 0`},
		{"log too large", "cluster: {log_keep: 3000000000GiB}", nil, nil, `cluster.log_keep "3000000000GiB" (control.yaml): want a size with its unit, KiB, MiB or GiB, such as 64MiB, or 0`},
		{"memory of a host too small", "cluster: {protocol: gateway, gateway: {memory: 1MiB}}", nil, nil, `cluster.gateway.memory 1MiB (control.yaml): want at least 4MiB, or 0 for 32MiB a shard`},
		{"memory of a host without a unit", "cluster: {gateway: {memory: 512}}", nil, nil, `cluster.gateway.memory 512 (control.yaml): want a size with its unit, KiB, MiB or GiB, such as 64MiB, or 0`},
		{"memory of a host that there is not", "cluster: {protocol: env, gateway: {memory: 64MiB}}", nil, nil, `cluster.gateway.memory 64MiB (control.yaml): only for cluster.protocol: gateway; here it is env`},
		{"no guest", "cluster: {protocol: gateway, guest: eris}", nil, nil, `cluster.guest "eris" (control.yaml): want one of auto, discordjs, hybrid, none`},
		{"guest of another kind of bot", "cluster: {protocol: env, guest: hybrid}", nil, nil, `cluster.guest "hybrid" (control.yaml): only for cluster.protocol: gateway; here it is env`},
		{"section in a section that is none", "cluster: {gateway: 64MiB}", nil, nil, `cluster.gateway (control.yaml): want a section with keys below it`},
		{"unknown key in a section in a section", "cluster: {gateway: {memry: 64MiB}}", nil, nil, `cluster.gateway.memry (control.yaml): no such key; did you mean cluster.gateway.memory?`},
		{"log too small", "cluster: {log_max: 64KiB}", nil, nil, `cluster.log_max 64KiB (control.yaml): want at least 1MiB, or 0 for no limit`},
		{"negative log", "cluster: {log_keep: -1GiB}", nil, nil, `cluster.log_keep -1GiB (control.yaml): want at least 1MiB, or 0 for no limit`},
		{"log level", "log: {level: trace}", nil, nil, `log.level "trace" (control.yaml): want one of debug, info, warn, error`},
		{"log format", "log: {format: xml}", nil, nil, `log.format "xml" (control.yaml): want one of auto, json, console`},
		{"a long value is cut", "log: {format: " + strings.Repeat("x", 81) + "}", nil, nil, `log.format "` + strings.Repeat("x", 80) + `…" (control.yaml): want one of auto, json, console`},
		{
			"all at once", "lg: {}\nfleet: {wait: 5}\ncluster: {logs: x}", []string{"CONTROL_X=1"}, nil,
			"lg (control.yaml): no such section; did you mean log?\n" +
				"CONTROL_X (environment): no such variable\n" +
				"fleet.wait 5 (control.yaml): want a duration with its unit, such as 500ms, 30s or 5m\n" +
				"cluster.logs \"x\" (control.yaml): want one of file, inherit",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parse(t, tc.yaml, tc.environ, tc.args...)
			if err == nil || err.Error() != tc.want {
				t.Errorf("\n got %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestFileFaults(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, make([]byte, fileMax+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/none.yaml": "config file: open /none.yaml: no such file or directory",
		"testdata":   "config file: read testdata: is a directory",
		big:          "config file: " + big + ": over 1048576 bytes",
	} {
		if _, err := Load(path, nil, nil); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", path, err, want)
		}
	}
}

func TestNoHome(t *testing.T) {
	_, err := load("", nil, nil, pflag.NewFlagSet("", pflag.ContinueOnError), "", false)
	want := `machine.source "": want 1 to 128 letters, digits or . _ : -` + "\n" +
		`state.dir "": no default without $STATE_DIRECTORY, $XDG_STATE_HOME or $HOME: set it`
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

func TestCommandsOwnDemands(t *testing.T) {
	run, master := (*Config).ValidateRun, (*Config).ValidateMaster
	for _, tc := range []struct {
		name     string
		validate func(*Config) error
		yaml     string
		want     string // lines; none: good
	}{
		{"run, nothing set", run, "", "cluster.command not set: nothing to run: name the bot's command, or pass it after --\n" +
			"discord.token not set: the embedded MASTER needs it: set DISCORD_TOKEN or discord.token_file, or master.url for a MASTER elsewhere"},
		{"run with a MASTER inside", run, "cluster: {command: bot}\ndiscord: {token: x}", ""},
		{"run with a MASTER elsewhere", run, "cluster: {command: bot}\nmaster: {url: 'wss://m'}", ""},
		{"run for others too", run, "cluster: {command: bot}\ndiscord: {token: x}\nfleet: {expect: 2}",
			"fleet.expect 2 (control.yaml): an embedded MASTER serves this machine alone: for more run `control master` and set master.url"},
		{"master, nothing set", master, "", "discord.token not set: MASTER needs it: set DISCORD_TOKEN or discord.token_file\n" +
			"master.authorization not set: without it any client that reaches MASTER gets the bot's token: set it or master.authorization_file"},
		{"master", master, "discord: {token: x}\nmaster: {authorization: y}", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := parse(t, tc.yaml, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := tc.validate(c); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q to %q: got %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

// FuzzLoad loads arbitrary bytes as a file: an error or a valid configuration, never a panic and
// never the token.
func FuzzLoad(f *testing.F) {
	every, err := os.ReadFile("testdata/every_key.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(every)
	for _, seed := range []string{
		"", "a", "[]", "log: {level: ~}", "log: {level: {a: 1}}", "cluster: {env: {1: x}}", "cluster: {env: {a: {b: c}}}", "master/url: x\nmaster: 1", "log: &a {level: *a}",
		"log: 2020-01-01", "fleet: {shards: 0x10, wait: !!binary aGk=}", "<<: {log: {}}", "? [a, b]\n: c", "cluster/env/x: 1", "cluster: {command: {}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := load("fuzz.yaml", text, []string{"HOME=/h", "DISCORD_TOKEN=hunter2hunter2"}, nil, "box", false)
		if (c == nil) == (err == nil) {
			t.Fatalf("got %v and %v", c, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), "hunter2hunter2") {
				t.Fatalf("the error shows the token: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("loaded, and then not valid: %v", err)
		}
	})
}

// A name that is far from all others gets the nearest few as suggestions.
func TestNearest(t *testing.T) {
	known := []string{"cluster.died", "cluster.gave_up", "cluster.moved", "fleet.halted", "shard.stuck"}
	for name, want := range map[string]string{
		"cluster.gaveup":  "cluster.gave_up",
		"Cluster.Died":    "cluster.died",
		"cluster.stopped": "cluster.moved cluster.died cluster.gave_up",
		"x":               "shard.stuck cluster.died fleet.halted",
	} {
		if got := strings.Join(nearest(name, known), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// Every duration has a limit: one beyond it would be obeyed, and look like a hang.
func TestDurationsHaveLimits(t *testing.T) {
	durations := 0
	for _, f := range defaults().fields() {
		if _, is := f.value.Interface().(time.Duration); !is {
			continue
		}
		durations++
		section, name, _ := strings.Cut(f.key, ".")
		_, err := parse(t, section+": {"+name+": 999999h}", nil)
		if err == nil || !strings.HasPrefix(err.Error(), f.key+" 999999h0m0s (control.yaml): ") {
			t.Errorf("%s: %v", f.key, err)
		}
	}
	if durations == 0 {
		t.Error("there are no durations")
	}
	if _, err := parse(t, "cluster: {protocol: env, ready: after 999999h}", nil); err == nil {
		t.Error("cluster.ready has no limit")
	}
}
