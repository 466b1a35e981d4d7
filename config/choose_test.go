package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	discordoo := []byte(`{"dependencies":{"discordoo":"^0.11.0"}}`)
	other := []byte(`{"dependencies":{"discord.js":"^14"},"devDependencies":{"discordoo":"^0.11.0"}}`)
	for _, tc := range []struct {
		command  string // words by spaces; those after " | " are one argument
		manifest []byte
		want     string // protocol: part of the reason
	}{
		{"", nil, "sdk: no command"},
		{"./mybot", nil, "sdk: mybot is a program"},
		{"/usr/local/bin/bot --token-file x", discordoo, "sdk: bot is a program"},
		{"bin/control bot", nil, "sdk: control is a program"},
		{"noder", nil, "sdk: noder"},
		{"node index.js", nil, "gateway: node runs bots"},
		{"node index.js", other, "gateway: node"},
		{"node index.js", []byte("not JSON"), "gateway: node"},
		{"node index.js", discordoo, "discordoo: node runs a bot whose package.json depends on discordoo"},
		{"npm start", discordoo, "discordoo: npm"},
		{"/opt/node/bin/node22 .", nil, "gateway: node22"},
		{"npx tsx src/index.ts", nil, "gateway: npx"},
		{"pnpm start", nil, "gateway: pnpm"},
		{"yarn start", nil, "gateway: yarn"},
		{"bun run .", nil, "gateway: bun"},
		{"deno run -A bot.ts", nil, "gateway: deno"},
		{"python bot.py", nil, "gateway: python"},
		{"/venv/bin/python3 -m bot", discordoo, "gateway: python3 "},
		{"python3.13 bot.py", nil, "gateway: python3.13"},
		{"uv run bot.py", nil, "gateway: uv"},
		{"poetry run bot", nil, "gateway: poetry"},
		{"pipenv run bot", nil, "gateway: pipenv"},
		{"java -jar bot.jar", nil, "gateway: java"},
		{"ruby bot.rb", nil, "gateway: ruby"},
		{"dotnet bot.dll", nil, "gateway: dotnet"},
		{"php bot.php", nil, "gateway: php"},
		{"mono bot.exe", nil, "gateway: mono"},
		{"./bot.py", nil, "gateway: bot.py is a script"},
		{"env node .", nil, "gateway: node"},
		{"/usr/bin/env -u X A=1 B=2 ./mybot", nil, "sdk: mybot"},
		{"env A=1", nil, "sdk: no command"},
		{"nice -n 5 python3 bot.py", nil, "gateway: python3"},
		{"nice -5 ./mybot", nil, "sdk: mybot"},
		{"env A=1 nice node .", nil, "gateway: node"},
		{"bash start.sh", nil, "gateway: bash may start any program; for one that asks CONTROL for permits itself set cluster.protocol: sdk"},
		{"sh -c | exec ./mybot --fast", nil, "sdk: mybot"},
		{"bash -lc | A=1 exec env B=2 node index.js", discordoo, "discordoo: node"},
		{"sh -c | npm ci && exec node .", nil, "gateway: sh may start"},
		{"sh -c | $BOT", nil, "gateway: sh may start"},
		{"sh -c | cd bot\n./mybot", nil, "gateway: sh may start"},
		{"sh -c | bash start.sh", nil, "gateway: sh may start"},
		{"bash --norc start.sh", nil, "gateway: bash may start"},
		{"sh -c", nil, "gateway: sh may start"},
	} {
		before, text, isText := strings.Cut(tc.command, " | ")
		command := strings.Fields(before)
		if isText {
			command = append(command, text)
		}
		var manifests [][]byte
		if tc.manifest != nil {
			manifests = append(manifests, tc.manifest)
		}
		got := Choose(command, manifests...)
		want, why, _ := strings.Cut(tc.want, ": ")
		if got.Protocol != want || !strings.Contains(got.Why+" ", why) {
			t.Errorf("%q: %s, as %s; want %s", command, got.Protocol, got.Why, tc.want)
		}
	}
}

// A bot is the guest of the manager whose package it has, where its command leaves node's channel
// to it.
func TestChooseGuest(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("djs/package.json", `{"dependencies":{"discord.js":"^14"}}`)
	write("djs/node_modules/discord-hybrid-sharding/package.json", "{}")
	write("both/package.json", `{"dependencies":{"discord.js":"^14","discord-hybrid-sharding":"^3"}}`)
	write("bare/node_modules/discord.js/package.json", "{}")
	write("ours/package.json", `{"dependencies":{"eris":"1"}}`)
	for _, tc := range []struct{ folder, yaml, command, want, why string }{
		{"djs", "", "node index.js", "discordjs", "package.json depends on discord.js"},
		{"djs", "", "sh -c | exec nice node .", "discordjs", "package.json depends"},
		{"djs", "", "npx tsx index.ts", "none", "but npx may keep node's channel for itself"},
		{"djs", "", "tsx index.ts", "discordjs", "package.json depends"},
		{"djs", "", "npm start", "none", "start the bot by node, or set cluster.guest: discordjs"},
		{"djs", "", "bash start.sh", "none", "bash may keep"},
		{"djs", "", "./bot.mjs", "discordjs", "package.json depends"},
		{"djs", "", "python3 bot.py", "none", "python3 may keep"},
		{"djs", "", "./mybot", "", ""},
		{"djs", "guest: none", "node index.js", "none", ""},
		{"djs", "guest: hybrid", "npm start", "hybrid", ""},
		{"djs", "protocol: env", "node index.js", "", ""},
		{"both", "", "node index.js", "hybrid", "package.json depends on discord-hybrid-sharding"},
		{"bare", "", "node index.js", "discordjs", "node_modules has discord.js"},
		{"ours", "", "node index.js", "none", ""},
		{"none", "", "node index.js", "none", ""},
	} {
		c, err := parse(t, "cluster: {dir: "+filepath.Join(dir, tc.folder)+", "+tc.yaml+"}", nil)
		if err != nil {
			t.Errorf("%+v: %v", tc, err)
			continue
		}
		before, text, isText := strings.Cut(tc.command, " | ")
		command := strings.Fields(before)
		if isText {
			command = append(command, text)
		}
		c.SetCommand(command)
		if b := c.Bot; b.Guest != tc.want || !strings.Contains(b.GuestWhy, tc.why) || (b.GuestWhy == "") != (tc.why == "") {
			t.Errorf("%+v: %+v", tc, b)
		}
	}
}

// What is set wins over what the command looks like, and defaults follow the choice.
func TestChosen(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bot"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bot", "package.json"), []byte(`{"dependencies":{"discordoo":"1"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		yaml, command         string
		want, why             string
		socketPrefix, isReady string
	}{
		{"", "", "sdk", "there is no command", "", ""},
		{"command: node index.js", "", "gateway", "node runs", "", ""},
		{"command: node index.js", "./mybot", "sdk", "mybot is", "", ""},
		{"command: node bot/index.js", "", "discordoo", "discordoo", "/tmp/ddoo", ""},
		{"command: node bot/index.js", "python3 bot.py", "gateway", "python3", "", ""},
		{"protocol: env", "node index.js", "env", "", "", "after 30s"},
		{"protocol: sdk", "node index.js", "sdk", "", "", ""},
		{"protocol: gateway", "./mybot", "gateway", "", "", ""},
		{"gateway: {memory: 64MiB}", "./mybot", "gateway", "cluster.gateway.memory is set, which belongs to gateway", "", ""},
		{"ready: after 40s", "node index.js", "env", "cluster.ready is set, which belongs to env", "", "after 40s"},
		{"probe: 'http://127.0.0.1:{9000+cluster}/'", "node .", "env", "cluster.probe is set", "", "after 30s"},
		{"socket_prefix: /tmp/x", "node .", "discordoo", "cluster.socket_prefix is set", "/tmp/x", ""},
		{"token: hello", "node .", "sdk", "cluster.token is hello", "", ""},
	} {
		c, err := parse(t, "cluster: {dir: "+dir+", "+tc.yaml+"}", nil)
		if err != nil {
			t.Errorf("%s: %v", tc.yaml, err)
			continue
		}
		if tc.command != "" {
			c.SetCommand(strings.Fields(tc.command))
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s with %s: %v", tc.yaml, tc.command, err)
		}
		if b := c.Bot; b.Protocol != tc.want || !strings.Contains(b.Why, tc.why) || (b.Why == "") != (tc.why == "") ||
			c.Cluster.SocketPrefix != tc.socketPrefix || c.Cluster.Ready != tc.isReady {
			t.Errorf("%s with %s: %+v, socket_prefix %q, ready %q; want %+v", tc.yaml, tc.command, b, c.Cluster.SocketPrefix, c.Cluster.Ready, tc)
		}
	}
}
