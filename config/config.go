// Package config is CONTROL's typed configuration: defaults, then one YAML file, then CONTROL_*
// variables, then flags; the later wins.
//
// Every setting has one name in three spellings: master.url in the file, CONTROL_MASTER__URL in the
// environment ("__" is a level), --master.url as a flag where it is one (Flags; never a secret,
// since a command line is public). A text that is not understood is an error that names key, value,
// rule and origin, and all errors are reported at once. Maps merge over the sources, lists are
// replaced.
package config

import (
	"time"

	"github.com/discluster/control/messages"
)

// Config holds every setting. Load makes it.
type Config struct {
	Discord  Discord  `koanf:"discord"`
	Master   Master   `koanf:"master"`
	Machine  Machine  `koanf:"machine"`
	Cluster  Cluster  `koanf:"cluster"`
	Identify Identify `koanf:"identify"`
	State    State    `koanf:"state"`
	Sockets  Sockets  `koanf:"sockets"`
	Fleet    Fleet    `koanf:"fleet"`
	Admin    Admin    `koanf:"admin"`
	IPC      IPC      `koanf:"ipc"`
	Hooks    Hooks    `koanf:"hooks"`
	Log      Log      `koanf:"log"`

	// Bot is the kind of bot that cluster.protocol names or auto chose. Load sets it.
	Bot Bot

	// the source of each key, for the errors; a key at its default is not in it
	origins map[string]string
}

// Discord is the access to Discord.
type Discord struct {
	// Token is the bot's token, without "Bot ". MASTER needs it, embedded or alone; a CONTROL with
	// a MASTER elsewhere gets it from there. CONTROL_DISCORD__TOKEN, or else DISCORD_TOKEN.
	// Default: none.
	Token messages.Secret `koanf:"token"`
	// TokenFile is a file that holds the token; white space around it is ignored. Not together with
	// token. CONTROL_DISCORD__TOKEN_FILE. Default: none.
	TokenFile string `koanf:"token_file" flag:"file that holds the bot's token"`
	// API is the address of Discord's REST API: a URL without a path, /api/v10 is appended.
	// CONTROL_DISCORD__API, or else DISCORD_API. Default: https://discord.com.
	API string `koanf:"api" flag:"Discord's REST API, or a proxy before it"`
}

// Master is the link to MASTER.
type Master struct {
	// URL is MASTER's address, ws:// or wss://. Empty: CONTROL embeds a MASTER for this machine
	// alone. CONTROL_MASTER__URL. Default: none.
	URL string `koanf:"url" flag:"MASTER's address, ws:// or wss://; empty: embed one"`
	// Authorization is the secret that both ends of the link share: a CONTROL sends it and `control
	// master` demands it. CONTROL_MASTER__AUTHORIZATION. Default: none.
	Authorization messages.Secret `koanf:"authorization"`
	// AuthorizationFile is a file that holds it. Not together with authorization.
	// CONTROL_MASTER__AUTHORIZATION_FILE. Default: none.
	AuthorizationFile string `koanf:"authorization_file" flag:"file that holds the secret shared with MASTER"`
	// Insecure allows ws:// beyond loopback, where others on the network can read the bot's token.
	// CONTROL_MASTER__INSECURE. Default: false.
	Insecure bool `koanf:"insecure" flag:"allow ws:// beyond loopback, where others can read the bot's token"`
}

// Machine is this machine's part in the fleet.
type Machine struct {
	// Source is the machine's name in the fleet, unique and the same after every restart.
	// CONTROL_MACHINE__SOURCE. Default: the host name.
	Source string `koanf:"source" flag:"this machine's name in the fleet"`
	// Weight is the share of the shards that this machine carries, relative to the weights of the
	// others; a machine without one counts as the average. CONTROL_MACHINE__WEIGHT. Default: 0, by
	// its processors and memory.
	Weight int `koanf:"weight" flag:"share of the shards, relative to other machines; 0: by processors and memory"`
}

// Cluster is the way a cluster process is run.
type Cluster struct {
	// Command is the bot: a program and its arguments. In a variable, or as one text in the file,
	// it is split at white space. CONTROL_CLUSTER__COMMAND. Default: none.
	Command []string `koanf:"command"`
	// Protocol is the kind of bot: sdk (a bot with transport/bot, or one that implements its
	// protocol), gateway (any other bot: CONTROL holds its sessions, and the bot, unmodified,
	// connects to CONTROL), discordoo (a stock Discordoo, v0.11 or later), env (a bot that connects
	// to Discord itself, and reads SHARDS, SHARD_COUNT and DISCORD_TOKEN) or auto: discordoo where
	// package.json depends on it, gateway for an interpreter, package runner, script or shell, sdk
	// for any other program; the log has the choice and its reason. CONTROL_CLUSTER__PROTOCOL.
	// Default: auto.
	Protocol string `koanf:"protocol" flag:"kind of bot: auto, sdk, gateway, discordoo or env"`
	// SocketPrefix is the beginning of the path of a stock Discordoo's socket: its ipc.socketRoot
	// and appspace. Only with protocol: discordoo, which auto then chooses.
	// CONTROL_CLUSTER__SOCKET_PREFIX. Default: /tmp/ddoo.
	SocketPrefix string `koanf:"socket_prefix"`
	// Ready is the rule by which a bot of protocol env is ready: after 30s (since its start; READY
	// is then assumed, and no sooner than 30 s and 6.5 s a shard), log "regular expression" (in a
	// line of its output), or an address of the bot that answers with 2xx; in it {cluster} is the
	// cluster's id and {9000+cluster} the sum. Only with protocol: env, which auto then chooses.
	// CONTROL_CLUSTER__READY. Default: after 30s.
	Ready string `koanf:"ready" flag:"when a bot of protocol env is ready: after 30s, log \"expression\", or an address"`
	// Probe is an address of such a bot that answers with 2xx while it is healthy, requested every
	// heartbeat_interval; after six failures in a row the bot is killed. Only with protocol: env.
	// CONTROL_CLUSTER__PROBE. Default: none, only its exit is noticed.
	Probe string `koanf:"probe"`
	// Dir is the working directory of the bot. CONTROL_CLUSTER__DIR. Default: the folder in which
	// CONTROL was started.
	Dir string `koanf:"dir" flag:"folder the bot runs in"`
	// Env is added to its environment, one variable each, and overrides CONTROL's own.
	// CONTROL_CLUSTER__ENV__NAME=value. Default: nothing.
	Env map[string]string `koanf:"env"`
	// ShardsPerCluster is the number of shards of a process. With several machines it is set for
	// MASTER alone. CONTROL_CLUSTER__SHARDS_PER_CLUSTER. Default: 0, which is max_concurrency where
	// that is over 1, else 10.
	ShardsPerCluster int `koanf:"shards_per_cluster" flag:"shards a process carries; 0: by max_concurrency"`
	// HelloTimeout is the time a process may take from its start to IDENTIFY.
	// CONTROL_CLUSTER__HELLO_TIMEOUT. Default: 30s.
	HelloTimeout time.Duration `koanf:"hello_timeout"`
	// ReadyTimeout is the time a shard may take from its IDENTIFY to READY.
	// CONTROL_CLUSTER__READY_TIMEOUT. Default: 60s.
	ReadyTimeout time.Duration `koanf:"ready_timeout"`
	// HeartbeatInterval is the interval of a process's heartbeats; after two missed ones it counts
	// as hanging. CONTROL_CLUSTER__HEARTBEAT_INTERVAL. Default: 5s.
	HeartbeatInterval time.Duration `koanf:"heartbeat_interval"`
	// StopGrace is the time a process may drain before SIGTERM. CONTROL_CLUSTER__STOP_GRACE.
	// Default: 8s.
	StopGrace time.Duration `koanf:"stop_grace"`
	// KillGrace is the time between SIGTERM and SIGKILL. CONTROL_CLUSTER__KILL_GRACE. Default: 2s.
	KillGrace time.Duration `koanf:"kill_grace"`
	// Token is the way the bot's token reaches the process: env (DISCORD_TOKEN) or hello (over the
	// socket, invisible in /proc; SDK bots only). CONTROL_CLUSTER__TOKEN. Default: env.
	Token string `koanf:"token"`
	// OnLost is the behaviour of an SDK bot without CONTROL: autonomous (serves forever) or exit
	// (closes its shards resumably and ends after lost_after, before MASTER reassigns them).
	// CONTROL_CLUSTER__ON_LOST. Default: autonomous with an embedded MASTER, exit with one
	// elsewhere.
	OnLost string `koanf:"on_lost"`
	// LostAfter is the time it waits for CONTROL before it exits; less than MASTER's grace. Only
	// with on_lost: exit. CONTROL_CLUSTER__LOST_AFTER. Default: five sixths of fleet.grace.
	LostAfter time.Duration `koanf:"lost_after"`
	// OnStop is the effect of SIGTERM and SIGINT to CONTROL on the bots: drain (they end,
	// resumable, within stop_grace and kill_grace) or detach (they keep serving, and the next start
	// takes them back; Linux only). CONTROL_CLUSTER__ON_STOP. Default: drain.
	OnStop string `koanf:"on_stop"`
	// Logs is the destination of its output: file (one for each run, in the state folder) or
	// inherit (CONTROL's own; events then have no last lines). CONTROL_CLUSTER__LOGS. Default:
	// file.
	Logs string `koanf:"logs"`
	// LogMax is the limit of a run's output on disk; beyond it the oldest lines are freed, a
	// quarter at a time. CONTROL_CLUSTER__LOG_MAX. Default: 64MiB. 0: no limit.
	LogMax Size `koanf:"log_max"`
	// LogKeep is the limit for the output of all ended processes of this machine together; beyond
	// it the oldest are removed. CONTROL_CLUSTER__LOG_KEEP. Default: 1GiB. 0: that of the last
	// 1000.
	LogKeep Size `koanf:"log_keep"`
	// Guest is the manager whose processes the bot was written for, and which CONTROL is to it:
	// discordjs (discord.js' ShardingManager: client.shard works), hybrid (discord-hybrid-sharding:
	// client.cluster works), none, or auto: by what package.json depends on, or node_modules has,
	// beside a command of node or tsx; the log has the choice and its reason. Only with protocol:
	// gateway, which discordjs and hybrid choose. CONTROL_CLUSTER__GUEST. Default: auto.
	Guest string `koanf:"guest" flag:"manager whose processes the bot was written for: auto, discordjs, hybrid or none"`
	// Gateway belongs to protocol: gateway.
	Gateway Gateway `koanf:"gateway"`
}

// Gateway is the gateway host that a cluster's bot is behind. Only with cluster.protocol: gateway,
// which auto then chooses.
type Gateway struct {
	// Memory is the memory that the guilds of a cluster, and the events that its bot has not
	// acknowledged, may take together. The guilds take what they need; each shard may keep an equal
	// share of the rest in events, 4 MiB at least. Beyond that the oldest are dropped, and a bot
	// that was not given them starts over, at no identify. The host's process takes up to a quarter
	// more, and 64 MiB. CONTROL_CLUSTER__GATEWAY__MEMORY. Default: 0, 32MiB for each of its shards.
	Memory Size `koanf:"memory"`
}

// Identify is the pace of identifies.
type Identify struct {
	// Margin is added to Discord's 5 s between two identifies of a bucket, against network jitter,
	// until Discord has answered the first. CONTROL_IDENTIFY__MARGIN. Default: 100ms.
	Margin time.Duration `koanf:"margin"`
	// PermitTTL is the time in which a bot may use a permit. CONTROL_IDENTIFY__PERMIT_TTL. Default:
	// 2s.
	PermitTTL time.Duration `koanf:"permit_ttl"`
}

// State is the data that survives a restart of CONTROL.
type State struct {
	// Dir is the state folder, used by one CONTROL only. CONTROL_STATE__DIR. Default: the first
	// that exists of $STATE_DIRECTORY, /var/lib/control for root, $XDG_STATE_HOME/control and
	// ~/.local/state/control.
	Dir string `koanf:"dir" flag:"state folder"`
}

// Sockets is the place of the sockets of cluster processes.
type Sockets struct {
	// Dir holds the sockets; its path has at most 67 bytes, since a socket's may have 107.
	// CONTROL_SOCKETS__DIR. Default: the first that exists of $RUNTIME_DIRECTORY,
	// $XDG_RUNTIME_DIR/control and the folder sockets in state.dir.
	Dir string `koanf:"dir"`
}

// Fleet is the configuration of MASTER, embedded or alone.
type Fleet struct {
	// Listen is the address where `control master` accepts CONTROLs, host:port; without a host, on
	// every interface. CONTROL_FLEET__LISTEN. Default: :8642.
	Listen string `koanf:"listen" flag:"address where MASTER accepts CONTROLs, host:port"`
	// Expect is the number of CONTROLs: MASTER stops waiting once all are linked.
	// CONTROL_FLEET__EXPECT. Default: 0, unknown.
	Expect int `koanf:"expect" flag:"number of CONTROLs MASTER waits for; 0: unknown"`
	// Wait is the time MASTER waits for CONTROLs before it divides the shards. CONTROL_FLEET__WAIT.
	// Default: 45s.
	Wait time.Duration `koanf:"wait"`
	// Shards is the number of shards of the whole bot. CONTROL_FLEET__SHARDS. Default: 0, ask
	// Discord.
	Shards int `koanf:"shards" flag:"shards of the whole bot; 0: ask Discord"`
	// MaxConcurrency is the number of shards that may identify per 5 s.
	// CONTROL_FLEET__MAX_CONCURRENCY. Default: 0, ask Discord.
	MaxConcurrency int `koanf:"max_concurrency"`
	// Grace is the time in which a lost CONTROL may return before its shards are reassigned.
	// CONTROL_FLEET__GRACE. Default: 30s.
	Grace time.Duration `koanf:"grace"`
	// Spares is the number of machines that a cold start leaves without shards, to take over from
	// one that dies. CONTROL_FLEET__SPARES. Default: 0, all are used.
	Spares int `koanf:"spares" flag:"machines that stay without shards until another one dies"`
	// OnMasterLoss is the behaviour of a machine without MASTER: keep (it serves on; if it is cut
	// off for longer than grace, its shards have a second owner until the partition heals) or fence
	// (it stops when its lease ends, so that no shard ever has two owners; a MASTER that is away
	// for longer stops the fleet). CONTROL_FLEET__ON_MASTER_LOSS. Default: keep.
	OnMasterLoss string `koanf:"on_master_loss"`
	// Lease is the time a machine serves after MASTER's last message, with on_master_loss: fence.
	// CONTROL_FLEET__LEASE. Default: 20s.
	Lease time.Duration `koanf:"lease"`
	// HeartbeatInterval is the interval of a CONTROL's heartbeats; 15 s after a missed one it
	// counts as dead. CONTROL_FLEET__HEARTBEAT_INTERVAL. Default: 5s.
	HeartbeatInterval time.Duration `koanf:"heartbeat_interval"`
}

// Admin is the interface of people and programs: status page, API and orders. `control status` and
// its like use a unix socket in state.dir, which always exists.
type Admin struct {
	// Listen is the address of the status page, the API and the metrics, host:port; empty: none.
	// Beyond loopback it needs a token, and TLS or insecure. CONTROL_ADMIN__LISTEN. Default:
	// 127.0.0.1:8643, for `control master` 127.0.0.1:8644.
	Listen string `koanf:"listen" flag:"address of the API and the metrics, host:port; empty: none"`
	// Hosts are the host names that a request may use, beside loopback's and the address of listen:
	// those that people and proxies use. CONTROL_ADMIN__HOSTS. Default: none.
	Hosts []string `koanf:"hosts"`
	// Token is the token that a request must carry: as a bearer token, or as the password of any
	// user. CONTROL_ADMIN__TOKEN. Default: none.
	Token messages.Secret `koanf:"token"`
	// TokenFile is a file that holds it. Not together with token. CONTROL_ADMIN__TOKEN_FILE.
	// Default: none.
	TokenFile string `koanf:"token_file" flag:"file that holds the token of the API"`
	// TLSCert is a PEM file of a certificate, followed by its chain. With tls_key.
	// CONTROL_ADMIN__TLS_CERT. Default: none, plain HTTP.
	TLSCert string `koanf:"tls_cert"`
	// TLSKey is a PEM file of the certificate's key. CONTROL_ADMIN__TLS_KEY. Default: none.
	TLSKey string `koanf:"tls_key"`
	// Insecure allows plain HTTP beyond loopback, where others on the network can read the token.
	// CONTROL_ADMIN__INSECURE. Default: false.
	Insecure bool `koanf:"insecure" flag:"allow the API in plain HTTP beyond loopback, where others can read its token"`
}

// IPC is the traffic between clusters, through CONTROL.
type IPC struct {
	// Eval lets a cluster run its own code in other clusters (BROADCAST_EVAL; stock Discordoo's way
	// to ask something). When off, an eval is answered by an error; messages, cache operations and
	// the requests of SDK bots, which name a handler, still work. CONTROL_IPC__EVAL. Default: true.
	Eval bool `koanf:"eval" flag:"let clusters run code in each other (BROADCAST_EVAL)"`
}

// Hooks are the receivers of this machine's events.
type Hooks struct {
	// Exec is a command that is run for each event, a program and its arguments: the event comes as
	// one line of JSON on its stdin, its output is dropped. In a variable, or as one text in the
	// file, it is split at white space. CONTROL_HOOKS__EXEC. Default: none.
	Exec []string `koanf:"exec"`
	// Events are the names of the events that the command and the webhook get.
	// CONTROL_HOOKS__EVENTS. Default: every event of level warn or error.
	Events []string `koanf:"events"`
	// Timeout is the time the command may run before it is killed. CONTROL_HOOKS__TIMEOUT. Default:
	// 10s.
	Timeout time.Duration `koanf:"timeout"`
	// Webhook is the address of a Discord webhook, or of a service with its format; it is a secret,
	// since it allows writing there. https://, or http:// on this machine. CONTROL_HOOKS__WEBHOOK.
	// Default: none.
	Webhook messages.Secret `koanf:"webhook"`
	// WebhookFile is a file that holds it. Not together with webhook. CONTROL_HOOKS__WEBHOOK_FILE.
	// Default: none.
	WebhookFile string `koanf:"webhook_file" flag:"file that holds the address of a webhook that gets events"`
}

// Log is CONTROL's own log, on stderr.
type Log struct {
	// Level is debug, info, warn or error. CONTROL_LOG__LEVEL. Default: info.
	Level string `koanf:"level" flag:"debug, info, warn or error"`
	// Format is json, console, or auto: console on a terminal. CONTROL_LOG__FORMAT. Default: auto.
	Format string `koanf:"format" flag:"json, console, or auto: console on a terminal"`
}

// Values of Cluster.Token, Cluster.OnStop, Fleet.OnMasterLoss, Cluster.Logs and Log.Format;
// Cluster.OnLost is messages.OnLostAutonomous or OnLostExit.
const (
	TokenByEnv   = "env"
	TokenByHello = "hello"

	OnStopDrain  = "drain"
	OnStopDetach = "detach"

	OnMasterLossKeep  = "keep"
	OnMasterLossFence = "fence"

	LogsFile    = "file"
	LogsInherit = "inherit"

	FormatAuto    = "auto"
	FormatJSON    = "json"
	FormatConsole = "console"
)

// masterAdmin is Admin.Listen of `control master`, which may run beside a CONTROL.
const masterAdmin = "127.0.0.1:8644"

// AdminOfMaster returns Admin.Listen for `control master`.
func (c *Config) AdminOfMaster() string {
	if c.origins["admin.listen"] == "" {
		return masterAdmin
	}
	return c.Admin.Listen
}

// Embedded reports whether CONTROL runs its own MASTER.
func (c *Config) Embedded() bool { return c.Master.URL == "" }

// defaults returns a Config before anything was read. derive fills in what depends on other keys or
// on the machine.
func defaults() *Config {
	return &Config{
		Discord: Discord{API: "https://discord.com"},
		Cluster: Cluster{
			// a stock Discordoo ends 30 s after it started to listen (PROTOCOL A3)
			HelloTimeout:      30 * time.Second,
			ReadyTimeout:      60 * time.Second,
			HeartbeatInterval: 5 * time.Second, // Discordoo's own value (PROTOCOL A3)
			// with KillGrace inside the 10 s of container runtimes
			StopGrace: 8 * time.Second,
			KillGrace: 2 * time.Second,
			Protocol:  ProtocolAuto,
			Guest:     GuestAuto,
			Token:     TokenByEnv,
			OnStop:    OnStopDrain,
			Logs:      LogsFile,
			LogMax:    64 << 20,
			LogKeep:   1 << 30,
		},
		Identify: Identify{Margin: 100 * time.Millisecond, PermitTTL: 2 * time.Second},
		Fleet: Fleet{
			Listen:            ":8642", // upstream MASTER's port (PROTOCOL A6)
			Wait:              45 * time.Second,
			Grace:             30 * time.Second,
			OnMasterLoss:      OnMasterLossKeep,
			Lease:             20 * time.Second, // PROTOCOL B1, Clocks
			HeartbeatInterval: 5 * time.Second,
		},
		Admin: Admin{Listen: "127.0.0.1:8643"},
		IPC:   IPC{Eval: true},
		Hooks: Hooks{Timeout: 10 * time.Second},
		Log:   Log{Level: "info", Format: FormatAuto},
	}
}
