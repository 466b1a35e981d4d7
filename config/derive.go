package config

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/discluster/control/messages"
)

// secret reads a secret that came as a file. Both ways at once is an error: one of the two would be
// ignored, and it would be unclear which.
func (l *loader) secret(key string, into *messages.Secret, path string) {
	from := l.c.origins[key+"_file"]
	switch {
	case path == "":
	case *into != "":
		l.fault(&fault{key: key + "_file", value: strconv.Quote(path), from: from, rule: key + " is set as well (" + l.c.origins[key] + "): want one of them"})
	default:
		b, err := readFile(path, secretMax)
		text := strings.TrimSpace(string(b))
		if err != nil {
			l.fault(&fault{key: key + "_file", value: strconv.Quote(path), from: from, rule: "want a readable file: " + err.Error()})
		} else if text == "" {
			l.fault(&fault{key: key + "_file", value: strconv.Quote(path), from: from, rule: "want a file with a secret in it: this one is empty"})
		}
		*into = messages.Secret(text)
		l.c.origins[key] = path
	}
}

// derive fills in unset keys that follow from other keys or from the machine.
func (c *Config) derive(env func(name string) string, host string, root bool) {
	c.Discord.API = strings.TrimRight(c.Discord.API, "/")
	setDefault(&c.Machine.Source, host)
	if c.Embedded() {
		setDefault(&c.Cluster.OnLost, messages.OnLostAutonomous)
	} else {
		setDefault(&c.Cluster.OnLost, messages.OnLostExit)
	}
	if c.Cluster.OnLost == messages.OnLostExit && c.Cluster.LostAfter == 0 {
		c.Cluster.LostAfter = c.Fleet.Grace * 5 / 6 // of 30 s: 25 s (DESIGN §6)
	}
	setDefault(&c.State.Dir, firstOf(env("STATE_DIRECTORY"))) // systemd: a list separated by colons
	if root {
		setDefault(&c.State.Dir, "/var/lib/control")
	}
	setDefault(&c.State.Dir, below(env("XDG_STATE_HOME"), "control"))
	setDefault(&c.State.Dir, below(env("HOME"), ".local/state/control"))
	c.State.Dir = absolute(c.State.Dir)
	setDefault(&c.Sockets.Dir, firstOf(env("RUNTIME_DIRECTORY")))
	setDefault(&c.Sockets.Dir, below(env("XDG_RUNTIME_DIR"), "control"))
	setDefault(&c.Sockets.Dir, below(c.State.Dir, "sockets"))
	c.Sockets.Dir = absolute(c.Sockets.Dir)
	c.Cluster.Dir = absolute(c.Cluster.Dir)
	c.choose()
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func firstOf(list string) string {
	first, _, _ := strings.Cut(list, ":")
	return first
}

func below(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// absolute returns the path from the root, since bots may run in another folder.
func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
