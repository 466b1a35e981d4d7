package config

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/discluster/control/messages"
)

// Values of cluster.protocol beside those of messages.Protocol.
const (
	ProtocolAuto    = "auto"    // see Choose
	ProtocolGateway = "gateway" // a gateway host, itself a cluster process of protocol sdk, runs the bot
)

// Protocols returns the values of cluster.protocol.
func Protocols() []string {
	return []string{ProtocolAuto, string(messages.ProtocolSDK), ProtocolGateway, string(messages.ProtocolDiscordoo), string(messages.ProtocolEnv)}
}

// Bot is the kind of bot that CONTROL runs.
type Bot struct {
	Protocol string // as cluster.protocol names it, never auto
	Why      string // the reason for the choice, a clause; "": cluster.protocol names it
	Guest    string // as cluster.guest names it, never auto; "": the protocol has none
	GuestWhy string // the reason for that choice; "": cluster.guest names it
}

// manifestMax limits the package.json that is read, in bytes.
const manifestMax = 1 << 20

// SetCommand replaces cluster.command by that of the command line.
func (c *Config) SetCommand(command []string) {
	c.Cluster.Command = command
	c.origins["cluster.command"] = "the command line"
	c.choose()
}

// choose sets Bot, and the defaults of the keys that belong to its kind.
func (c *Config) choose() {
	c.Bot = Bot{Protocol: c.Cluster.Protocol}
	if c.Bot.Protocol == ProtocolAuto {
		c.Bot = c.forced()
	}
	if c.Bot.Protocol == "" {
		c.Bot = Choose(c.Cluster.Command, c.manifests()...)
	}
	c.chooseGuest()
	byDefault := func(key string, value *string, is messages.Protocol, text string) {
		switch {
		case c.origins[key] != "":
		case c.Bot.Protocol == string(is):
			*value = text
		default:
			*value = ""
		}
	}
	// node-ipc's socketRoot and Discordoo's appspace (PROTOCOL A1)
	byDefault("cluster.socket_prefix", &c.Cluster.SocketPrefix, messages.ProtocolDiscordoo, "/tmp/ddoo")
	byDefault("cluster.ready", &c.Cluster.Ready, messages.ProtocolEnv, "after 30s")
}

// forced returns the only kind of bot that a setting belongs to, or the zero Bot.
func (c *Config) forced() Bot {
	switch {
	case c.Cluster.Ready != "" && c.origins["cluster.ready"] != "":
		return Bot{Protocol: string(messages.ProtocolEnv), Why: "cluster.ready is set, which belongs to env"}
	case c.Cluster.Probe != "":
		return Bot{Protocol: string(messages.ProtocolEnv), Why: "cluster.probe is set, which belongs to env"}
	case c.Cluster.SocketPrefix != "" && c.origins["cluster.socket_prefix"] != "":
		return Bot{Protocol: string(messages.ProtocolDiscordoo), Why: "cluster.socket_prefix is set, which belongs to discordoo"}
	case c.Cluster.Token == TokenByHello:
		return Bot{Protocol: string(messages.ProtocolSDK), Why: "cluster.token is hello, which belongs to sdk"}
	case c.Cluster.Guest == GuestDiscordJS, c.Cluster.Guest == GuestHybrid:
		return Bot{Protocol: ProtocolGateway, Why: "cluster.guest is set, which belongs to gateway"}
	case c.Cluster.Gateway.Memory > 0:
		return Bot{Protocol: ProtocolGateway, Why: "cluster.gateway.memory is set, which belongs to gateway"}
	}
	return Bot{}
}

// manifests returns what there is of package.json in the folder of the bot and in that of its
// script.
func (c *Config) manifests() (all [][]byte) {
	for _, dir := range c.botDirs() {
		if text, err := readFile(filepath.Join(dir, "package.json"), manifestMax); err == nil {
			all = append(all, text)
		}
	}
	return all
}

// botDirs returns the folder of the bot and that of its script.
func (c *Config) botDirs() []string {
	dirs := []string{c.Cluster.Dir}
	for _, arg := range c.Cluster.Command[min(1, len(c.Cluster.Command)):] {
		if dir := filepath.Dir(arg); !strings.HasPrefix(arg, "-") && dir != "." {
			if !filepath.IsAbs(dir) {
				dir = filepath.Join(c.Cluster.Dir, dir)
			}
			dirs = append(dirs, dir)
			break
		}
	}
	return dirs
}

// What runs programs of other languages, by the name of its file: that of JavaScript, which may run
// Discordoo, and all others.
var (
	javaScript  = regexp.MustCompile(`^(node|nodejs|npm|npx|pnpm|pnpx|yarn|tsx|ts-node|bun|bunx|deno|pm2-runtime)(-?\d[\d.]*)?$`)
	otherwise   = regexp.MustCompile(`^(python|pythonw|pypy|uv|uvx|poetry|pipenv|pdm|hatch|rye|conda|java|kotlin|scala|gradle|gradlew|mvn|ruby|bundle|dotnet|php|mono|perl|lua|luajit|luvit|elixir|mix|erl|julia|Rscript)(-?\d[\d.]*)?$`)
	shell       = regexp.MustCompile(`^(sh|bash|dash|ash|zsh|ksh|fish|busybox)$`)
	script      = regexp.MustCompile(`\.(js|mjs|cjs|ts|mts|py|pyz|rb|php|jar|pl|lua|exs)$`)
	assignment  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
	commandFlag = regexp.MustCompile(`^-[a-z]*c$`)
	plainWords  = regexp.MustCompile(`^[\w\s./=:@%+,-]*$`)
)

// Choose returns the kind of bot that a command starts, with the reason. manifests are the
// package.json of its folders. It looks through env, nice, nohup and exec.
//
// A shell's script may start anything. The choice is gateway then: a bot with CONTROL's SDK fails
// there before it identifies, but any other bot would identify unpaced with sdk.
func Choose(command []string, manifests ...[]byte) Bot {
	command = unwrapped(command)
	if len(command) == 0 {
		return Bot{Protocol: string(messages.ProtocolSDK), Why: "there is no command"}
	}
	name := filepath.Base(command[0])
	if shell.MatchString(name) {
		words, plain := shellWords(command[1:])
		if inner := unwrapped(words); plain && len(inner) > 0 && !shell.MatchString(filepath.Base(inner[0])) {
			return Choose(inner, manifests...)
		}
		return Bot{Protocol: ProtocolGateway, Why: name + " may start any program; for one that asks CONTROL for permits itself set cluster.protocol: sdk"}
	}
	switch {
	case javaScript.MatchString(name) && dependOnDiscordoo(manifests):
		return Bot{Protocol: string(messages.ProtocolDiscordoo), Why: name + " runs a bot whose package.json depends on discordoo"}
	case javaScript.MatchString(name), otherwise.MatchString(name):
		return Bot{Protocol: ProtocolGateway, Why: name + " runs bots of any library; for one that asks CONTROL for permits itself set cluster.protocol: sdk"}
	case script.MatchString(name):
		return Bot{Protocol: ProtocolGateway, Why: name + " is a script, which may use any library; for one that asks CONTROL for permits itself set cluster.protocol: sdk"}
	default:
		return Bot{Protocol: string(messages.ProtocolSDK), Why: name + " is a program of its own; if it does not use CONTROL's SDK set cluster.protocol: gateway"}
	}
}

// unwrapped returns a command without the programs that only start another one.
func unwrapped(command []string) []string {
	for len(command) > 0 {
		rest := command[1:]
		switch filepath.Base(command[0]) {
		case "env":
			rest = afterOptions(rest, "-u", "--unset", "-C", "--chdir")
			for len(rest) > 0 && assignment.MatchString(rest[0]) {
				rest = rest[1:]
			}
		case "nice":
			rest = afterOptions(rest, "-n", "--adjustment")
		case "nohup", "exec":
			rest = afterOptions(rest, "-a")
		default:
			return command
		}
		command = rest
	}
	return command
}

// afterOptions returns args after their options; those of valued have a value in the next argument.
func afterOptions(args []string, valued ...string) []string {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		option := args[0]
		args = args[1:]
		if option == "--" {
			break
		}
		for _, v := range valued {
			if option == v && len(args) > 0 {
				args = args[1:]
			}
		}
	}
	return args
}

// shellWords returns the words of the one simple command that a shell's arguments hold. plain is
// false for a script's file, and for anything that only a shell can read.
func shellWords(args []string) (words []string, plain bool) {
	if len(args) < 2 || !commandFlag.MatchString(args[0]) || !plainWords.MatchString(args[1]) ||
		strings.Contains(strings.TrimSpace(args[1]), "\n") {
		return nil, false
	}
	words = strings.Fields(args[1])
	for len(words) > 0 && assignment.MatchString(words[0]) {
		words = words[1:]
	}
	return words, true
}

// dependOnDiscordoo reports whether one of the package.json depends on Discordoo.
func dependOnDiscordoo(manifests [][]byte) bool {
	return dependOn(manifests, func(name string) bool { return name == "discordoo" || strings.HasPrefix(name, "@discordoo/") })
}

// dependOn reports whether one of the package.json depends on a package.
func dependOn(manifests [][]byte, is func(name string) bool) bool {
	for _, text := range manifests {
		var m struct{ Dependencies map[string]any }
		if json.Unmarshal(text, &m) != nil {
			continue
		}
		for name := range m.Dependencies {
			if is(name) {
				return true
			}
		}
	}
	return false
}
