//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmeClient returns the constructor in the line of README that introduces a library.
func readmeClient(t *testing.T, library string) string {
	t.Helper()
	code := regexp.MustCompile(`(?m)^\*\*` + regexp.QuoteMeta(library) + "\\*\\*: .*?`([^`]*Client\\([^`]*)`").FindStringSubmatch(readme(t))
	if code == nil {
		t.Fatalf("README.md shows no client for %s", library)
	}
	return code[1]
}

// README's quick start for discord.js runs as written, with the client that it shows.
func TestReadmeDiscordJS(t *testing.T) {
	t.Parallel()
	program := node(t)
	d, dir := startDiscord(t, 2, 2), built(t)
	modules, err := filepath.Abs("node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	place(t, dir, "index.js", `
const { Client, GatewayIntentBits } = require("discord.js");
const intents = [GatewayIntentBits.Guilds];
const client = `+readmeClient(t, "discord.js")+`;
client.login();
`)
	serves(d, typed(t, dir, readmeBlock(t, "node index.js"), "DISCORD_API="+d.base, "NODE_PATH="+modules,
		"PATH="+filepath.Dir(program)+":"+os.Getenv("PATH")))
}

// README's quick start for discord.py runs as written, with the client that it shows.
func TestReadmeDiscordPy(t *testing.T) {
	t.Parallel()
	program := python(t)
	d, dir := startDiscord(t, 2, 2), built(t)
	client := strings.Replace(readmeClient(t, "discord.py"), "…", "intents=discord.Intents(guilds=True)", 1)
	place(t, dir, "bot.py", `
import json, os, discord
from discord import AutoShardedClient
client = `+client+`
client.run(os.environ["DISCORD_TOKEN"])
`)
	serves(d, typed(t, dir, readmeBlock(t, "python3 bot.py"), "DISCORD_API="+d.base,
		"PATH="+filepath.Dir(program)+":"+os.Getenv("PATH")))
}
