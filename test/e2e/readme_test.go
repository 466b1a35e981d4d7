package e2e

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readme returns README.md.
func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readmeBlock returns README's code block that contains a text.
func readmeBlock(t *testing.T, text string) string {
	t.Helper()
	for i, block := range strings.Split(readme(t), "\n```") {
		if _, code, _ := strings.Cut(block, "\n"); i%2 == 1 && strings.Contains(code, text) {
			return code + "\n"
		}
	}
	t.Fatalf("README.md has no code block with %q", text)
	return ""
}

// built returns a folder with the binary at bin/control, as README's commands expect it.
func built(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin", "control")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// place writes a program or a file into a folder.
func place(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// typed runs README's commands in a folder, with … as the token. The last one replaces the shell,
// so that it gets the test's signals.
func typed(t *testing.T, dir, commands string, env ...string) *process {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(commands, "…", token)), "\n")
	lines[len(lines)-1] = "exec " + lines[len(lines)-1]
	script := rand.Text() + ".sh"
	place(t, dir, script, "cd "+dir+"\n"+strings.Join(lines, "\n")+"\n")
	return start(t, append(env, "CONTROL_STATE__DIR="+folder(t)), "bash", "-e", filepath.Join(dir, script))
}

// serves waits until the bot of a README block serves every shard, and stops it.
func serves(d *discord, p *process) {
	p.t.Helper()
	eventually(p.t, "the bot serves", func() bool {
		if failed := p.lines("cluster.gave_up"); len(failed) > 0 {
			p.t.Fatalf("the bot failed: %v", failed)
		}
		return len(p.lines("cluster.ready")) > 0
	})
	d.allReady()
	p.stop()
	if all := p.complaints(); len(all) > 0 {
		p.t.Errorf("complaints: %v", all)
	}
	d.wellBehaved()
}

// README's quick start for Go runs as written.
func TestReadmeGo(t *testing.T) {
	t.Parallel()
	d, dir := startDiscord(t, 2, 2), built(t)
	place(t, dir, "mybot", "#!/bin/sh\nexec bin/control bot\n")
	serves(d, typed(t, dir, readmeBlock(t, "./mybot"), "DISCORD_API="+d.base))
}

// README's two files for several machines run as written, but for MASTER's port.
func TestReadmeSeveralMachines(t *testing.T) {
	t.Parallel()
	d, dir := startDiscord(t, 2, 2), built(t)
	place(t, dir, "token", token)
	place(t, dir, "secret", authorization)
	run := func(block, address string) *process {
		head, _, _ := strings.Cut(strings.TrimPrefix(block, "# "), "\n")
		file, command, _ := strings.Cut(head, ": ")
		place(t, dir, file, strings.ReplaceAll(block, "127.0.0.1:8642", address))
		return typed(t, dir, command, "DISCORD_API="+d.base)
	}
	master := run(readmeBlock(t, "# master.yaml"), "127.0.0.1:0")
	at, _ := master.line("master runs")["listen"].(string)
	serves(d, run(readmeBlock(t, "# control.yaml"), at))
	master.stop()
}
