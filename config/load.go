package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// fileMax and secretMax limit a configuration file and a secret's file, in bytes; a longer one is
// an error.
const (
	fileMax   = 1 << 20
	secretMax = 4 << 10
)

// Load reads the file at path ("": none), the variables of environ ("KEY=value") and those of flags
// that were set (nil: none), derives defaults from them, and validates. All mistakes are reported
// at once.
func Load(path string, environ []string, flags *pflag.FlagSet) (*Config, error) {
	file, err := source(path)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // without one the machine's name is empty, which Validate reports
	return load(path, file, environ, flags, host, os.Geteuid() == 0)
}

// StateDir returns the state folder of the same sources, for commands that only look for a running
// CONTROL. It reads no secrets, which may be readable for the service alone, and checks no rules
// between keys: a variable or a flag that the service was started with may be missing here.
func StateDir(path string, environ []string, flags *pflag.FlagSet) (string, error) {
	file, err := source(path)
	if err != nil {
		return "", err
	}
	l := merge(path, file, environ, flags)
	l.c.derive(lookup(environ), "", os.Geteuid() == 0)
	v := newValidation(l.c)
	v.stateDir()
	return l.c.State.Dir, errors.Join(append(l.faults, v.faults...)...)
}

// source reads the configuration file ("": none).
func source(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	file, err := readFile(path, fileMax)
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	return file, nil
}

func load(path string, file []byte, environ []string, flags *pflag.FlagSet, host string, root bool) (*Config, error) {
	l := merge(path, file, environ, flags)
	l.secret("discord.token", &l.c.Discord.Token, l.c.Discord.TokenFile)
	l.secret("master.authorization", &l.c.Master.Authorization, l.c.Master.AuthorizationFile)
	l.secret("admin.token", &l.c.Admin.Token, l.c.Admin.TokenFile)
	l.secret("hooks.webhook", &l.c.Hooks.Webhook, l.c.Hooks.WebhookFile)
	l.c.derive(lookup(environ), host, root)
	if err := errors.Join(append(l.faults, l.c.Validate())...); err != nil {
		return nil, err
	}
	return l.c, nil
}

// merge decodes the sources, in their order.
func merge(path string, file []byte, environ []string, flags *pflag.FlagSet) *loader {
	l := &loader{c: defaults(), k: koanf.New("/"), fields: map[string]field{}}
	l.c.origins = map[string]string{}
	for _, f := range l.c.fields() {
		l.fields[f.key] = f
		l.order = append(l.order, f.key)
	}
	l.file(path, file)
	l.environ(environ)
	if flags != nil {
		l.flags(flags)
	}
	for _, key := range l.order {
		l.decode(l.fields[key])
	}
	return l
}

// loader merges the sources in k, records the origin of each key, and collects the faults.
type loader struct {
	c      *Config
	k      *koanf.Koanf
	fields map[string]field
	order  []string // keys, as the struct has them
	faults []error
}

func (l *loader) fault(f *fault) { l.faults = append(l.faults, f) }

// file merges the YAML. Its names are checked here, since koanf would drop unknown ones.
func (l *loader) file(path string, text []byte) {
	one := koanf.New("/")
	if err := one.Load(rawbytes.Provider(text), yaml.Parser()); err != nil {
		l.faults = append(l.faults, fmt.Errorf("config file %s: %w", path, withoutContent(err)))
		return
	}
	sections := map[string][]string{}
	for _, key := range l.order {
		section, _, _ := strings.Cut(key, ".")
		sections[section] = append(sections[section], key)
	}
	raw := one.Raw()
	for _, section := range slices.Sorted(maps.Keys(raw)) {
		keys, known := sections[section]
		content, isSection := raw[section].(map[string]any)
		switch {
		case l.fields[section].key != "":
			l.fault(&fault{key: section, from: path, rule: "a key has no dot in the file: want a section with the key below it"})
		case !known:
			l.fault(unknown(section, path, "section", slices.Sorted(maps.Keys(sections))))
		case raw[section] == nil: // "master:" with nothing below it
		case !isSection:
			l.fault(&fault{key: section, from: path, rule: "want a section with keys below it"})
		default:
			l.section(path, section, content, keys)
		}
	}
	l.must(l.k.Merge(one))
}

// section records the origin of the keys of a section, and of those in it. keys are all that there
// are.
func (l *loader) section(path, section string, content map[string]any, keys []string) {
	for _, name := range slices.Sorted(maps.Keys(content)) {
		key := section + "." + name
		inner, isSection := content[name].(map[string]any)
		below := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !strings.HasPrefix(k, key+".") })
		switch {
		case slices.Contains(keys, key):
			l.c.origins[key] = path
		case len(below) == 0:
			l.fault(unknown(key, path, "key", keys))
		case isSection:
			l.section(path, key, inner, below)
		case content[name] != nil:
			l.fault(&fault{key: key, from: path, rule: "want a section with keys below it"})
		}
	}
}

// serviceLink matches the variables that Kubernetes puts into every pod beside a Service whose name
// begins with "control"; no key of CONTROL looks like them.
var serviceLink = regexp.MustCompile(`^CONTROL_([A-Z0-9]+_)*(SERVICE_HOST|SERVICE_PORT|PORT)(_[A-Z0-9_]+)?$`)

// environ merges the variables: first the two that other programs use too, then CONTROL's.
func (l *loader) environ(environ []string) {
	common := map[string]string{"DISCORD_TOKEN": "discord/token", "DISCORD_API": "discord/api"}
	l.variables(environ, "DISCORD_", func(name, value string) string {
		if value == "" { // used by other programs for "none"
			return ""
		}
		return common[name]
	})
	ours, names := map[string]string{}, []string{}
	for _, key := range l.order {
		name := l.fields[key].env()
		ours[name] = l.fields[key].path()
		names = append(names, name)
	}
	bots := l.fields["cluster.env"].env() + "__"
	l.variables(environ, envPrefix, func(name, _ string) string {
		if bot, ok := strings.CutPrefix(name, bots); ok {
			return "cluster/env/" + bot
		}
		if ours[name] == "" && (strings.Contains(name, "__") || !serviceLink.MatchString(name)) {
			l.fault(unknown(name, "environment", "variable", names))
		}
		return ours[name]
	})
}

// variables merges those with the prefix that have a path.
func (l *loader) variables(environ []string, prefix string, path func(name, value string) string) {
	l.must(l.k.Load(env.Provider("/", env.Opt{
		Prefix:      prefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			at := path(name, value)
			if at != "" {
				l.c.origins[strings.ReplaceAll(at, "/", ".")] = name
			}
			return at, value
		},
	}), nil))
}

// flags merges those that were set and are keys. All others belong to a command, and pflag has
// refused unknown ones.
func (l *loader) flags(fs *pflag.FlagSet) {
	l.must(l.k.Load(posflag.ProviderWithFlag(fs, "/", l.k, func(f *pflag.Flag) (string, any) {
		key, known := l.fields[f.Name]
		if !known || !f.Changed {
			return "", nil
		}
		l.c.origins[f.Name] = "--" + f.Name
		return key.path(), posflag.FlagVal(fs, f)
	}), nil))
}

// must panics on errors that koanf cannot have here: it merges maps in memory.
func (l *loader) must(err error) {
	if err != nil {
		panic("config: " + err.Error())
	}
}

// decode sets the field to its value in the sources.
func (l *loader) decode(f field) {
	v := l.k.Get(f.path())
	if v == nil {
		return
	}
	if rule := decode(f.value, v); rule != "" {
		l.fault(&fault{key: f.key, value: show(f, v), from: l.c.origins[f.key], rule: rule})
	}
}

// lookup reads environ like os.Getenv.
func lookup(environ []string) func(name string) string {
	return func(name string) string {
		for _, line := range environ {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// readFile reads a whole small file.
func readFile(path string, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > most {
		return nil, fmt.Errorf("%s: over %d bytes", path, most)
	}
	return b, nil
}
