package config

import (
	"os"
	"path/filepath"
	"regexp"
)

// Values of cluster.guest. The names but auto are those of package guest.
const (
	GuestAuto      = "auto" // see chooseGuest
	GuestDiscordJS = "discordjs"
	GuestHybrid    = "hybrid"
	GuestNone      = "none"
)

// Guests returns the values of cluster.guest.
func Guests() []string { return []string{GuestAuto, GuestDiscordJS, GuestHybrid, GuestNone} }

// guestPackages are the packages whose bots are guests, the more particular first:
// discord-hybrid-sharding is used beside discord.js.
var guestPackages = []struct{ name, guest string }{
	{"discord-hybrid-sharding", GuestHybrid},
	{"discord.js", GuestDiscordJS},
}

// passesOn matches the programs that leave node's channel to the bot. npm, npx and nodemon take it
// for themselves, and the bot would die at its first message.
var passesOn = regexp.MustCompile(`^((node|nodejs|tsx)(-?\d[\d.]*)?|.*\.[cm]?js)$`)

// chooseGuest sets whose guest a bot behind a gateway host is.
func (c *Config) chooseGuest() {
	c.Bot.Guest, c.Bot.GuestWhy = "", ""
	if c.Bot.Protocol != ProtocolGateway {
		return
	}
	if c.Bot.Guest = c.Cluster.Guest; c.Cluster.Guest != GuestAuto {
		return
	}
	c.Bot.Guest = GuestNone
	guest, why := c.findGuest()
	if guest == "" {
		return
	}
	if name := startedBy(c.Cluster.Command); !passesOn.MatchString(name) {
		c.Bot.GuestWhy = why + ", but " + name + " may keep node's channel for itself; start the bot by node, or set cluster.guest: " + guest
		return
	}
	c.Bot.Guest, c.Bot.GuestWhy = guest, why
}

// findGuest looks for the package of a manager: in package.json, or without one in node_modules.
func (c *Config) findGuest() (guest, why string) {
	manifests, dirs := c.manifests(), c.botDirs()
	for _, p := range guestPackages {
		switch {
		case dependOn(manifests, func(name string) bool { return name == p.name }):
			return p.guest, "package.json depends on " + p.name
		case len(manifests) == 0 && installed(dirs, p.name):
			return p.guest, "node_modules has " + p.name
		}
	}
	return "", ""
}

// startedBy returns the name of the program that a command starts, a shell's one command for the
// shell.
func startedBy(command []string) string {
	command = unwrapped(command)
	if len(command) == 0 {
		return ""
	}
	name := filepath.Base(command[0])
	if words, plain := shellWords(command[1:]); shell.MatchString(name) && plain && len(words) > 0 {
		return startedBy(words)
	}
	return name
}

// installed reports whether a package is in the node_modules of one of the folders.
func installed(dirs []string, name string) bool {
	for _, dir := range dirs {
		if info, err := os.Stat(filepath.Join(dir, "node_modules", name)); err == nil && info.IsDir() {
			return true
		}
	}
	return false
}
