package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/discluster/control/messages"
)

// envPrefix begins every variable of CONTROL.
const envPrefix = "CONTROL_"

// field is one key and its place in a Config.
type field struct {
	key   string // "master.url"
	usage string // of its flag; "" where there is none
	value reflect.Value
}

// path returns the key as koanf has it: not with dots, which the operator's own names in
// cluster.env may contain.
func (f field) path() string { return strings.ReplaceAll(f.key, ".", "/") }

// env returns the variable of the key.
func (f field) env() string { return envPrefix + strings.ToUpper(strings.ReplaceAll(f.key, ".", "__")) }

// secret reports whether the value must not be shown. A bot's environment and arguments may contain
// any secret.
func (f field) secret() bool {
	return f.value.Type() == reflect.TypeFor[messages.Secret]() || f.value.Kind() == reflect.Map || f.value.Kind() == reflect.Slice
}

// fields lists every key of c, in the order of the struct.
func (c *Config) fields() []field {
	var all []field
	root := reflect.ValueOf(c).Elem()
	for i := range root.NumField() {
		section := root.Type().Field(i).Tag.Get("koanf")
		if section == "" {
			continue
		}
		all = append(all, fieldsOf(section, root.Field(i))...)
	}
	return all
}

// fieldsOf lists the keys of a section, and of those in it.
func fieldsOf(section string, of reflect.Value) (all []field) {
	for i := range of.NumField() {
		tag := of.Type().Field(i).Tag
		f := field{key: section + "." + tag.Get("koanf"), usage: tag.Get("flag"), value: of.Field(i)}
		if f.value.Kind() == reflect.Struct {
			all = append(all, fieldsOf(f.key, f.value)...)
			continue
		}
		all = append(all, f)
	}
	return all
}

// Changed returns the keys whose values differ in a and b, in the order of Config, including values
// derived from another key or read from a secret's file.
func Changed(a, b *Config) (keys []string) {
	others := b.fields()
	for i, f := range a.fields() {
		if !reflect.DeepEqual(f.value.Interface(), others[i].value.Interface()) {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// Flags adds the flags that a person would set, each named like its key. Load reads those that were
// used.
func Flags(fs *pflag.FlagSet) {
	for _, f := range defaults().fields() {
		if f.usage == "" {
			continue
		}
		switch v := f.value.Interface().(type) {
		case string:
			fs.String(f.key, v, f.usage)
		case bool:
			fs.Bool(f.key, v, f.usage)
		case int:
			fs.Int(f.key, v, f.usage)
		case time.Duration:
			fs.Duration(f.key, v, f.usage)
		default:
			panic(fmt.Sprintf("config: %s is a %T, which no flag can carry", f.key, v))
		}
	}
}
