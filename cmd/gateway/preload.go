package gateway

import (
	"bytes"
	_ "embed" // of the preloads
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

//go:embed preload/preload.cjs
var nodePreload []byte

//go:embed preload/sitecustomize.py
var pythonPreload []byte

// pointBot writes the preloads, and returns the environment with which a bot finds its gateway.
func pointBot(dir string, to *url.URL) ([]string, error) {
	node, python := filepath.Join(dir, "preload.cjs"), filepath.Join(dir, "python")
	node, err := filepath.Abs(node)
	if err == nil {
		python, err = filepath.Abs(python)
	}
	if err == nil {
		err = os.MkdirAll(python, 0o700)
	}
	for file, text := range map[string][]byte{node: nodePreload, filepath.Join(python, "sitecustomize.py"): pythonPreload} {
		if err == nil {
			err = writeNew(file, text)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("write what points the bot at its gateway: %w", err)
	}
	joined := func(name, separator, value string) string {
		if old := os.Getenv(name); old != "" {
			value += separator + old
		}
		return name + "=" + value
	}
	return append(os.Environ(),
		"CONTROL_GATEWAY="+to.String(), "DISCORD_GATEWAY="+to.String(), "DISCORD_API=http://"+to.Host,
		joined("NODE_OPTIONS", " ", "--require="+quoteNode(node)),
		joined("PYTHONPATH", string(os.PathListSeparator), python),
	), nil
}

// writeNew writes a file unless it holds the text already: a full disk does not stop a bot that was
// here before, nor cut what running bots load.
func writeNew(file string, text []byte) error {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
		return nil
	}
	beside := file + ".new"
	if err := os.WriteFile(beside, text, 0o600); err != nil {
		return err
	}
	return os.Rename(beside, file)
}

// quoteNode writes a path as NODE_OPTIONS takes it.
func quoteNode(path string) string {
	if !strings.ContainsAny(path, " \"\\") {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}
