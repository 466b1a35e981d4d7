package rehearsal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Parse reads the file of a scenario. It returns all errors at once, each with its line, key, value
// and rule.
func Parse(file []byte) (Scenario, error) {
	s := defaults()
	d := &decoder{lines: map[string]int{}}
	in := yaml.NewDecoder(bytes.NewReader(file))
	var doc yaml.Node
	switch err := in.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return s, errors.New("the file is empty")
	case err != nil:
		return s, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := in.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return s, errors.New("want one document: there is something behind it")
	}
	d.take(doc.Content[0], reflect.ValueOf(&s).Elem(), "")
	if len(d.wrong) == 0 { // a value that could not be read cannot be validated
		d.validate(&s)
	}
	slices.SortStableFunc(d.wrong, func(a, b wrong) int { return cmp.Compare(a.line, b.line) })
	var all []error
	for _, w := range d.wrong {
		all = append(all, w)
	}
	return s, errors.Join(all...)
}

// wrong is one error of a file.
type wrong struct {
	line int
	text string
}

func (w wrong) Error() string { return fmt.Sprintf("line %d: %s", w.line, w.text) }

// decoder decodes YAML into a Scenario and records the line of each key.
type decoder struct {
	lines map[string]int
	wrong []wrong
}

func (d *decoder) fail(line int, format string, args ...any) {
	d.wrong = append(d.wrong, wrong{line, fmt.Sprintf(format, args...)})
}

// shownMax bounds the part of a value that an error shows, in bytes.
const shownMax = 60

// shown returns a node as an error shows it.
func shown(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "{…}"
	case yaml.SequenceNode:
		return "[…]"
	}
	if len(n.Value) > shownMax {
		return strconv.Quote(strings.ToValidUTF8(n.Value[:shownMax], "")) + "…"
	}
	return strconv.Quote(n.Value)
}

// take decodes a node into a value; key is its path.
func (d *decoder) take(n *yaml.Node, into reflect.Value, key string) {
	d.lines[key] = n.Line
	switch {
	case n.Kind == yaml.AliasNode:
		d.fail(n.Line, "%s: want no alias", key)
	case into.Kind() == reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.take(n, into.Elem(), key)
	case into.Kind() == reflect.Struct:
		d.section(n, into, key)
	case into.Kind() == reflect.Map:
		d.counts(n, into, key)
	case into.Kind() == reflect.Slice:
		d.list(n, into, key)
	default:
		if rule := scalar(n, into); rule != "" {
			d.fail(n.Line, "%s %s: %s", key, shown(n), rule)
		}
	}
}

// pairs returns the keys and values of a mapping. A node that is no mapping, or has a key twice, is
// an error.
func (d *decoder) pairs(n *yaml.Node, key string, each func(name, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fail(n.Line, "%s: want keys and values", cmp.Or(key, "the file"))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		if seen[name.Value] {
			d.fail(name.Line, "%s: is there twice", below(key, name.Value))
			continue
		}
		seen[name.Value] = true
		each(name, n.Content[i+1])
	}
}

func (d *decoder) section(n *yaml.Node, into reflect.Value, key string) {
	d.pairs(n, key, func(name, value *yaml.Node) {
		var known []string
		for i := range into.NumField() {
			tag := into.Type().Field(i).Tag.Get("yaml")
			if tag == name.Value {
				d.take(value, into.Field(i), below(key, tag))
				return
			}
			known = append(known, tag)
		}
		d.fail(name.Line, "%s: no such key; want one of %s", below(key, name.Value), strings.Join(known, ", "))
	})
}

func (d *decoder) counts(n *yaml.Node, into reflect.Value, key string) {
	into.Set(reflect.MakeMap(into.Type()))
	d.pairs(n, key, func(name, value *yaml.Node) {
		one := reflect.New(into.Type().Elem()).Elem()
		d.take(value, one, below(key, name.Value))
		into.SetMapIndex(reflect.ValueOf(name.Value), one)
	})
}

func (d *decoder) list(n *yaml.Node, into reflect.Value, key string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n.Line, "%s %s: want a list", key, shown(n))
		return
	}
	if len(n.Content) > faultsMax {
		d.fail(n.Line, "%s: %d of them; want at most %d", key, len(n.Content), faultsMax)
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content)))
	for i, one := range n.Content {
		d.take(one, into.Index(i), at(key, i))
	}
}

// below and at return the path of a key in a section and of an element in a list.
func below(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func at(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i+1) }

// scalar decodes a plain value into a field and returns the rule it breaks, "" for none.
func scalar(n *yaml.Node, into reflect.Value) (rule string) {
	plain := n.Kind == yaml.ScalarNode
	switch into.Interface().(type) {
	case time.Duration:
		v, err := time.ParseDuration(n.Value)
		if !plain || err != nil || v < 0 || n.Value == "0" {
			return "want a duration with its unit, such as 500ms, 30s or 5m"
		}
		into.SetInt(int64(v))
	case int:
		v, err := strconv.Atoi(n.Value)
		if !plain || err != nil {
			return "want a whole number"
		}
		into.SetInt(int64(v))
	case bool:
		if !plain || n.Value != "true" && n.Value != "false" {
			return "want true or false"
		}
		into.SetBool(n.Value == "true")
	case string:
		if !plain || n.Value == "" {
			return "want a text"
		}
		into.SetString(n.Value)
	default:
		panic("rehearsal: a field of type " + into.Type().String())
	}
	return ""
}
