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
		{"bash start.sh", nil, "gateway: bash may start any program; for one with CONTROL's SDK set cluster.protocol: sdk"},
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
