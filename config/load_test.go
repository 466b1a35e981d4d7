package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/discluster/control/messages"
)

// parse loads as Load does, on a machine with the host name "box" and a home directory.
func parse(t *testing.T, yaml string, environ []string, args ...string) (*Config, error) {
	t.Helper()
	fs := pflag.NewFlagSet("control", pflag.ContinueOnError)
	fs.String("config", "", "a command's own flag")
	Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return load("control.yaml", []byte(yaml), append(environ, "HOME=/home/bot", "UNRELATED=1"), fs, "box", false)
}

func TestDefaults(t *testing.T) {
	got, err := parse(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Machine.Source = "box"
	want.Cluster.OnLost = "autonomous"
	want.State.Dir = "/home/bot/.local/state/control"
	want.Sockets.Dir = "/home/bot/.local/state/control/sockets"
	want.Bot = Bot{Protocol: "sdk", Why: "there is no command"}
	want.origins = map[string]string{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestEveryKeyInAFile(t *testing.T) {
	got, err := Load("testdata/every_key.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got.origins = nil
	want := &Config{
		Discord: Discord{Token: "the-token-in-a-file", TokenFile: "testdata/token", API: "http://127.0.0.1:8080"},
		Master: Master{
			URL: "wss://master.example:8642", Authorization: "the-authorization-in-a-file", AuthorizationFile: "testdata/authorization",
		},
		Machine: Machine{Source: "blade-7", Weight: 3},
		Cluster: Cluster{
			Command: []string{"node", "--enable-source-maps", "bot.js"}, Protocol: "sdk", Dir: "/srv/bot", Env: map[string]string{"NODE_ENV": "production", "my.dotted/name": "1"},
			ShardsPerCluster: 16, HelloTimeout: 20 * time.Second, ReadyTimeout: 90 * time.Second, HeartbeatInterval: time.Second,
			StopGrace: 7 * time.Second, KillGrace: time.Second, Token: "hello", OnLost: "exit", LostAfter: 20 * time.Second, OnStop: "detach", Logs: "inherit",
			LogMax: 16 << 20, Guest: GuestAuto, LogKeep: 2 << 30,
		},
		Identify: Identify{Margin: 150 * time.Millisecond, PermitTTL: 3 * time.Second},
		State:    State{Dir: "/srv/state"},
		Sockets:  Sockets{Dir: "/run/bot"},
		Fleet: Fleet{
			Listen: "127.0.0.1:9000", Expect: 3, Wait: 90 * time.Second, Shards: 32, MaxConcurrency: 16, Grace: 25 * time.Second, Spares: 2, OnMasterLoss: OnMasterLossFence, Lease: 15 * time.Second, HeartbeatInterval: 6 * time.Second,
		},
		Admin: Admin{
			Listen: "0.0.0.0:8443", Hosts: []string{"control.example"}, Token: "the-admin-token-in-a-file", TokenFile: "testdata/admin",
			TLSCert: "/srv/cert.pem", TLSKey: "/srv/key.pem",
		},
		Hooks: Hooks{
			Exec: []string{"notify", "--json"}, Events: []string{"cluster.gave_up", "cluster.ready"}, Timeout: 5 * time.Second,
			Webhook: "https://discord.example/api/webhooks/1/the-webhook-in-a-file", WebhookFile: "testdata/webhook",
		},
		Log: Log{Level: "debug", Format: "json"},
		Bot: Bot{Protocol: "sdk"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	text, _ := os.ReadFile("testdata/every_key.yaml")
	for _, f := range defaults().fields() {
		_, name, _ := strings.Cut(f.key, ".")
		switch f.key {
		// of other kinds of bots: TestOtherKindsOfBots
		case "cluster.socket_prefix", "cluster.ready", "cluster.probe", "cluster.gateway.memory", "cluster.guest":
			continue
		}
		if f.key != "discord.token" && f.key != "master.authorization" && f.key != "admin.token" && f.key != "hooks.webhook" && !strings.Contains(string(text), "\n  "+name+":") {
			t.Errorf("testdata/every_key.yaml lacks %s", f.key)
		}
	}
}

// samples has, for every key, a good value other than its default, as a variable or a flag carries
// it, and its result.
var samples = map[string]struct {
	text string
	want any
	with []string // other variables it needs
}{
	"discord.token":              {"a-token", messages.Secret("a-token"), nil},
	"discord.token_file":         {"testdata/token", "testdata/token", nil},
	"discord.api":                {"https://proxy:8000/", "https://proxy:8000", nil},
	"master.url":                 {"ws://127.0.0.1:8642", "ws://127.0.0.1:8642", nil},
	"master.authorization":       {"s3cret", messages.Secret("s3cret"), nil},
	"master.authorization_file":  {"testdata/authorization", "testdata/authorization", nil},
	"master.insecure":            {"true", true, nil},
	"machine.source":             {"10.0.0.7", "10.0.0.7", nil},
	"machine.weight":             {"3", 3, nil},
	"cluster.command":            {"node  bot.js", []string{"node", "bot.js"}, nil},
	"cluster.protocol":           {"discordoo", "discordoo", nil},
	"cluster.socket_prefix":      {"/run/ddoo", "/run/ddoo", []string{"CONTROL_CLUSTER__PROTOCOL=discordoo"}},
	"cluster.ready":              {`log "up and \\w+"`, `log "up and \\w+"`, []string{"CONTROL_CLUSTER__PROTOCOL=env"}},
	"cluster.probe":              {"http://127.0.0.1:{9000+cluster}/", "http://127.0.0.1:{9000+cluster}/", []string{"CONTROL_CLUSTER__PROTOCOL=env"}},
	"cluster.dir":                {"/srv", "/srv", nil},
	"cluster.shards_per_cluster": {"8", 8, nil},
	"cluster.hello_timeout":      {"31s", 31 * time.Second, nil},
	"cluster.ready_timeout":      {"61s", 61 * time.Second, nil},
	"cluster.heartbeat_interval": {"6s", 6 * time.Second, nil},
	"cluster.stop_grace":         {"0s", time.Duration(0), nil},
	"cluster.kill_grace":         {"1500ms", 1500 * time.Millisecond, nil},
	"cluster.token":              {"hello", TokenByHello, nil},
	"cluster.on_lost":            {"exit", messages.OnLostExit, nil},
	"cluster.lost_after":         {"10s", 10 * time.Second, []string{"CONTROL_CLUSTER__ON_LOST=exit"}},
	"cluster.on_stop":            {"detach", OnStopDetach, nil},
	"ipc.eval":                   {"false", false, nil},
	"cluster.logs":               {"inherit", LogsInherit, nil},
	"cluster.log_max":            {"0", Size(0), nil},
	"cluster.gateway.memory":     {"512MiB", Size(512 << 20), []string{"CONTROL_CLUSTER__PROTOCOL=gateway"}},
	"cluster.guest":              {"hybrid", GuestHybrid, []string{"CONTROL_CLUSTER__PROTOCOL=gateway"}},
	"cluster.log_keep":           {"1536KiB", Size(1536 << 10), nil},
	"identify.margin":            {"0s", time.Duration(0), nil},
	"identify.permit_ttl":        {"1s", time.Second, nil},
	"state.dir":                  {"/state", "/state", nil},
	"sockets.dir":                {"/s", "/s", nil},
	"fleet.listen":               {"[::1]:0", "[::1]:0", nil},
	"fleet.expect":               {"2", 2, nil},
	"fleet.wait":                 {"1m", time.Minute, nil},
	"fleet.shards":               {"32", 32, nil},
	"fleet.max_concurrency":      {"16", 16, nil},
	"fleet.grace":                {"20s", 20 * time.Second, nil},
	"fleet.spares":               {"2", 2, nil},
	"fleet.on_master_loss":       {"fence", OnMasterLossFence, nil},
	"fleet.lease":                {"21s", 21 * time.Second, nil},
	"fleet.heartbeat_interval":   {"2s", 2 * time.Second, nil},
	"admin.listen":               {"[::1]:9000", "[::1]:9000", nil},
	"admin.hosts":                {"a.example  10.0.0.7", []string{"a.example", "10.0.0.7"}, nil},
	"admin.token":                {"s3cret", messages.Secret("s3cret"), nil},
	"admin.token_file":           {"testdata/admin", "testdata/admin", nil},
	"admin.tls_cert":             {"/cert.pem", "/cert.pem", []string{"CONTROL_ADMIN__TLS_KEY=/key.pem"}},
	"admin.tls_key":              {"/key.pem", "/key.pem", []string{"CONTROL_ADMIN__TLS_CERT=/cert.pem"}},
	"admin.insecure":             {"true", true, nil},
	"hooks.exec":                 {"notify --json", []string{"notify", "--json"}, nil},
	"hooks.events":               {"cluster.died  cluster.ready", []string{"cluster.died", "cluster.ready"}, nil},
	"hooks.timeout":              {"1m", time.Minute, nil},
	"hooks.webhook":              {"http://[::1]:8080/hook?thread_id=1", messages.Secret("http://[::1]:8080/hook?thread_id=1"), nil},
	"hooks.webhook_file":         {"testdata/webhook", "testdata/webhook", nil},
	"log.level":                  {"warn", "warn", nil},
	"log.format":                 {"console", FormatConsole, nil},
}

func TestOtherKindsOfBots(t *testing.T) {
	for _, tc := range []struct {
		yaml string
		want messages.ReadyRule
	}{
		{"protocol: env", messages.ReadyRule{After: 30 * time.Second}},
		{"protocol: env, ready: after 1m", messages.ReadyRule{After: time.Minute}},
		{"protocol: env, ready: 'http://127.0.0.1:{9000+cluster}/ready'", messages.ReadyRule{URL: "http://127.0.0.1:{9000+cluster}/ready"}},
		{`protocol: env, ready: 'log "^Logged in as .+#\\d"'`, messages.ReadyRule{Log: regexp.MustCompile(`^Logged in as .+#\d`)}},
	} {
		c, err := parse(t, "cluster: {"+tc.yaml+"}", nil)
		if err != nil {
			t.Errorf("%s: %v", tc.yaml, err)
			continue
		}
		if got, err := c.Cluster.ReadyRule(); err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, %v", tc.yaml, got, err)
		}
	}
	c, err := parse(t, "cluster: {protocol: discordoo}", nil)
	if err != nil || c.Cluster.SocketPrefix != "/tmp/ddoo" {
		t.Errorf("discordoo: %v, sockets at %q", err, c.Cluster.SocketPrefix)
	}
}

func valueOf(t *testing.T, c *Config, key string) any {
	t.Helper()
	for _, f := range c.fields() {
		if f.key == key {
			return f.value.Interface()
		}
	}
	t.Fatalf("no key %s", key)
	return nil
}

func TestEveryVariable(t *testing.T) {
	for _, f := range defaults().fields() {
		if f.key == "cluster.env" { // TestSources
			continue
		}
		s, ok := samples[f.key]
		if !ok {
			t.Errorf("%s: no sample", f.key)
			continue
		}
		c, err := parse(t, "", append(s.with, f.env()+"="+s.text))
		if err != nil {
			t.Errorf("%s=%s: %v", f.env(), s.text, err)
		} else if got := valueOf(t, c, f.key); !reflect.DeepEqual(got, s.want) {
			t.Errorf("%s=%s: got %v, want %v", f.env(), s.text, got, s.want)
		}
	}
}

func TestEveryFlag(t *testing.T) {
	flags := 0
	for _, f := range defaults().fields() {
		if f.usage == "" {
			continue
		}
		flags++
		s := samples[f.key]
		c, err := parse(t, "", s.with, "--"+f.key+"="+s.text)
		if err != nil {
			t.Errorf("--%s=%s: %v", f.key, s.text, err)
		} else if got := valueOf(t, c, f.key); !reflect.DeepEqual(got, s.want) {
			t.Errorf("--%s=%s: got %v, want %v", f.key, s.text, got, s.want)
		}
	}
	if flags == 0 {
		t.Error("no flag")
	}
	for _, key := range []string{"discord.token", "master.authorization", "admin.token", "hooks.webhook"} {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		Flags(fs)
		if fs.Lookup(key) != nil {
			t.Errorf("--%s: a secret in a command line is public", key)
		}
	}
}

func TestSources(t *testing.T) {
	for _, tc := range []struct {
		name    string
		yaml    string
		environ []string
		args    []string
		key     string
		want    any
	}{
		{"file beats default", "log: {level: warn}", nil, nil, "log.level", "warn"},
		{"variable beats file", "log: {level: warn}", []string{"CONTROL_LOG__LEVEL=error"}, nil, "log.level", "error"},
		{"flag beats variable", "log: {level: warn}", []string{"CONTROL_LOG__LEVEL=error"}, []string{"--log.level=debug"}, "log.level", "debug"},
		{"an unused flag beats nothing", "log: {level: warn}", nil, []string{"--config=x"}, "log.level", "warn"},
		{"DISCORD_TOKEN beats file", "discord: {token: a}", []string{"DISCORD_TOKEN=b"}, nil, "discord.token", messages.Secret("b")},
		{"CONTROL's beats DISCORD_TOKEN", "", []string{"CONTROL_DISCORD__TOKEN=c", "DISCORD_TOKEN=b"}, nil, "discord.token", messages.Secret("c")},
		{"an empty DISCORD_TOKEN is none", "discord: {token: a}", []string{"DISCORD_TOKEN="}, nil, "discord.token", messages.Secret("a")},
		{"DISCORD_API", "", []string{"DISCORD_API=http://127.0.0.1:1"}, nil, "discord.api", "http://127.0.0.1:1"},
		{"others' DISCORD_ variables", "", []string{"DISCORD_GUILD=1"}, nil, "discord.api", "https://discord.com"},
		{"Kubernetes' variables of a service", "", []string{"CONTROL_MASTER_PORT_8642_TCP_ADDR=10.0.0.1", "CONTROL_SERVICE_HOST=10.0.0.1", "CONTROL_PORT=tcp://10.0.0.1:1"}, nil, "master.url", ""},
		{"bots' variables keep their case", "", []string{"CONTROL_CLUSTER__ENV__Ab__C=x=y"}, nil, "cluster.env", map[string]string{"Ab__C": "x=y"}},
		{"maps merge", "cluster: {env: {A: '1', B: '2'}}", []string{"CONTROL_CLUSTER__ENV__B=3"}, nil, "cluster.env", map[string]string{"A": "1", "B": "3"}},
		{"lists are replaced", "cluster: {command: [a, b, c]}", []string{"CONTROL_CLUSTER__COMMAND=d"}, nil, "cluster.command", []string{"d"}},
		{"a command in one text", "cluster: {command: node bot.js}", nil, nil, "cluster.command", []string{"node", "bot.js"}},
		{"empty section and empty key", "master:\ncluster: {dir: }\nlog: {}", []string{"CONTROL_MASTER__URL=ws://localhost"}, nil, "master.url", "ws://localhost"},
		{"a MASTER elsewhere: bots exit", "master: {url: 'wss://m'}", nil, nil, "cluster.on_lost", "exit"},
		{"and 5 s before its grace ends", "master: {url: 'wss://m'}", nil, nil, "cluster.lost_after", 25 * time.Second},
		{"whatever it is", "master: {url: 'wss://m'}\nfleet: {grace: 12s}", nil, nil, "cluster.lost_after", 10 * time.Second},
		{"no API", "", []string{"CONTROL_ADMIN__LISTEN="}, nil, "admin.listen", ""},
		{"ws beyond loopback when allowed", "master: {url: 'ws://m', insecure: true}", nil, nil, "master.insecure", true},
		{"secret by file", "", []string{"CONTROL_DISCORD__TOKEN_FILE=testdata/token"}, nil, "discord.token", messages.Secret("the-token-in-a-file")},
		{"state folder of systemd", "", []string{"STATE_DIRECTORY=/var/lib/a:/var/lib/b", "XDG_STATE_HOME=/x"}, nil, "state.dir", "/var/lib/a"},
		{"state folder of XDG", "", []string{"XDG_STATE_HOME=/x"}, nil, "state.dir", "/x/control"},
		{"sockets of systemd", "", []string{"RUNTIME_DIRECTORY=/run/a", "XDG_RUNTIME_DIR=/run/user/1"}, nil, "sockets.dir", "/run/a"},
		{"sockets of XDG", "", []string{"XDG_RUNTIME_DIR=/run/user/1"}, nil, "sockets.dir", "/run/user/1/control"},
		{"sockets below a chosen state folder", "state: {dir: /s}", nil, nil, "sockets.dir", "/s/sockets"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := parse(t, tc.yaml, tc.environ, tc.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got := valueOf(t, c, tc.key); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%s: got %#v, want %#v", tc.key, got, tc.want)
			}
		})
	}
}

func TestFoldersOfRootAndRelativeOnes(t *testing.T) {
	c, err := load("", nil, nil, nil, "box", true)
	if err != nil || c.State.Dir != "/var/lib/control" {
		t.Errorf("root: got %q, %v", c.State.Dir, err)
	}
	here, _ := os.Getwd()
	c, err = parse(t, "state: {dir: s}\ncluster: {dir: bot}", nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(here, "s"); c.State.Dir != want {
		t.Errorf("state.dir: got %q, want %q", c.State.Dir, want)
	}
	if want := filepath.Join(here, "bot"); c.Cluster.Dir != want {
		t.Errorf("cluster.dir: got %q, want %q", c.Cluster.Dir, want)
	}
}

func TestNoSecretIsPrinted(t *testing.T) {
	c, err := parse(t, "discord: {token: hunter2}\nmaster: {authorization: hunter2}", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, *c); strings.Contains(got, "hunter2") {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

// TestEveryFieldIsDocumented checks that each comment has meaning, variable and default.
func TestEveryFieldIsDocumented(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{} // by koanf tag of the field, in its struct
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			docs[spec.Name.Name+"."+f.Names[0].Name] = line(f.Doc)
		}
		return false
	})
	root := reflect.TypeFor[Config]()
	for i := range root.NumField() {
		section := root.Field(i)
		if section.Tag.Get("koanf") == "" {
			continue
		}
		checkDocs(t, docs, section.Tag.Get("koanf"), section.Type)
	}
}

// checkDocs checks the comments of a section, and of those in it.
func checkDocs(t *testing.T, docs map[string]string, section string, of reflect.Type) {
	for f := range of.Fields() {
		doc, key := docs[of.Name()+"."+f.Name], field{key: section + "." + f.Tag.Get("koanf")}
		if env := key.env(); f.Type.Kind() == reflect.Struct {
			checkDocs(t, docs, key.key, f.Type)
		} else if !strings.HasPrefix(doc, f.Name+" ") || !strings.Contains(doc, env) || !strings.Contains(doc, "Default: ") {
			t.Errorf("%s.%s: its comment must begin with the name, and have the variable %s and the default: %q", of.Name(), f.Name, env, doc)
		}
	}
}

func TestChanged(t *testing.T) {
	load := func(environ ...string) *Config {
		t.Helper()
		c, err := load("", nil, append(environ, "HOME=/h"), nil, "m", false)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a := load("DISCORD_TOKEN=one", "CONTROL_CLUSTER__ENV__A=1", "CONTROL_CLUSTER__COMMAND=a b")
	if keys := Changed(a, load("CONTROL_DISCORD__TOKEN=one", "CONTROL_CLUSTER__ENV__A=1", "CONTROL_CLUSTER__COMMAND=a  b")); keys != nil {
		t.Errorf("the same from elsewhere: %v", keys)
	}
	b := load("DISCORD_TOKEN=two", "CONTROL_CLUSTER__ENV__A=2", "CONTROL_CLUSTER__COMMAND=a b c", "CONTROL_CLUSTER__ON_LOST=exit")
	if got, want := Changed(a, b), []string{"discord.token", "cluster.command", "cluster.env", "cluster.on_lost", "cluster.lost_after"}; !slices.Equal(got, want) {
		t.Errorf("changed %v, want %v", got, want)
	}
}

// `control master` has a default port of its own.
func TestAdminOfMaster(t *testing.T) {
	for text, want := range map[string]string{"": "127.0.0.1:8644", "admin: {listen: 'localhost:1'}": "localhost:1", "admin: {listen: ''}": "", "admin: {listen: '127.0.0.1:8643'}": "127.0.0.1:8643"} {
		c, err := parse(t, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.AdminOfMaster(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
