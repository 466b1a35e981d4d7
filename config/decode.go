package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

// decode puts v, as it came from YAML, a variable or a flag, into a field, and returns the rule it
// breaks, "" for none. mapstructure is not used: it reads 30 as 30 ns, cuts 3.7 to 3, and names
// neither value nor rule.
func decode(into reflect.Value, v any) (rule string) {
	var out any
	var ok bool
	switch into.Interface().(type) {
	case string:
		out, ok = v.(string)
		rule = "want a text; in quotes where it looks like something else"
	case messages.Secret:
		var text string
		text, ok = v.(string)
		out, rule = messages.Secret(text), "want a text; in quotes where it looks like something else"
	case bool:
		out, ok = toBool(v)
		rule = "want true or false"
	case int:
		out, ok = toInt(v)
		rule = "want a whole number"
	case time.Duration:
		out, ok = toDuration(v)
		rule = "want a duration with its unit, such as 500ms, 30s or 5m"
	case Size:
		out, ok = toSize(v)
		rule = "want a size with its unit, KiB, MiB or GiB, such as 64MiB, or 0"
	case []string:
		out, ok = toWords(v)
		rule = "want a list of texts, or one text without quotes that can be split at white space"
	case map[string]string:
		out, ok = toTexts(v)
		rule = "want a text below every name; numbers, true and false in quotes"
	default:
		panic("config: a field of type " + into.Type().String())
	}
	if !ok {
		return rule
	}
	into.Set(reflect.ValueOf(out))
	return ""
}

func toBool(v any) (bool, bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		return v == "true", v == "true" || v == "false"
	}
	return false, false
}

func toInt(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case string:
		n, err := strconv.Atoi(v)
		return n, err == nil
	}
	return 0, false
}

func toDuration(v any) (time.Duration, bool) {
	switch v := v.(type) {
	case time.Duration:
		return v, true
	case string:
		d, err := time.ParseDuration(v)
		return d, err == nil && v != "0" // ParseDuration takes a bare 0
	}
	return 0, false
}

// Size is a number of bytes, written with its unit: 64MiB.
type Size int64

// sizeUnits are the units of a Size, the largest first.
var sizeUnits = []struct {
	name  string
	bytes Size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// String returns a size in the form in which it is read.
func (s Size) String() string {
	for _, unit := range sizeUnits {
		if s != 0 && s%unit.bytes == 0 {
			return strconv.FormatInt(int64(s/unit.bytes), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func toSize(v any) (Size, bool) {
	text := strings.TrimSpace(fmt.Sprint(v))
	if text == "0" {
		return 0, true
	}
	for _, unit := range sizeUnits {
		if number, ok := strings.CutSuffix(text, unit.name); ok {
			// 2 EiB at most: no overflow
			n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
			return Size(n) * unit.bytes, err == nil
		}
	}
	return 0, false
}

func toWords(v any) ([]string, bool) {
	switch v := v.(type) {
	case string: // no shell: what only a shell would understand is refused, not guessed
		return strings.Fields(v), !strings.ContainsAny(v, `"'\`)
	case []any:
		words := make([]string, 0, len(v))
		for _, one := range v {
			word, ok := one.(string)
			if !ok {
				return nil, false
			}
			words = append(words, word)
		}
		return words, true
	}
	return nil, false
}

func toTexts(v any) (map[string]string, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	texts := make(map[string]string, len(m))
	for name, one := range m {
		if texts[name], ok = one.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}
