package splice

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

func TestFields(t *testing.T) {
	for _, test := range []struct{ raw, want string }{
		{`{}`, ``},
		{` { "a" : 1 , "b":[{"c":"}"}],"d" : "\\\"" } `, `a=1 b=[{"c":"}"}] d="\\\"" `},
		{`{"a":-1.5e3,"b":null,"c":true}`, `a=-1.5e3 b=null c=true `},
		{`{"a":"\\","b":{"x":"{["}}`, `a="\\" b={"x":"{["} `},
		{`[1]`, ``}, {``, ``}, {`{`, ``}, {`{"a`, ``}, {`{"a"`, ``}, {`{"a":`, ``}, {`{"a":}`, ``}, {`{"a":"`, ``}, {`{"a":{"b":1}`, `a={"b":1} `},
	} {
		var got bytes.Buffer
		for k, v := range Fields([]byte(test.raw)) {
			got.Write(k)
			got.WriteByte('=')
			got.Write(v)
			got.WriteByte(' ')
		}
		if got.String() != test.want {
			t.Errorf("fields of %s:\n got %s\nwant %s", test.raw, got.String(), test.want)
		}
	}
}

func TestItems(t *testing.T) {
	for _, test := range []struct{ raw, want string }{
		{`[]`, ``}, {` [ 1 , "a,]" , {"b":[2]} ] `, `1|"a,]"|{"b":[2]}|`}, {`{}`, ``}, {`[1`, `1|`}, {`[,]`, ``},
	} {
		got := ""
		for v := range Items([]byte(test.raw)) {
			got += string(v) + "|"
		}
		if got != test.want {
			t.Errorf("items of %s: got %s, want %s", test.raw, got, test.want)
		}
	}
}

func TestRewrite(t *testing.T) {
	raw := []byte(`{"a":1,"b":{"c":2},"d":null}`)
	kept := string(raw)
	for _, test := range []struct {
		name      string
		got, want string
	}{
		{"merge", string(Merge(raw, []byte(`{"b":3,"e":4,"d":5}`), "d")), `{"a":1,"b":3,"d":null,"e":4}`},
		{"with", string(With(raw, "a", []byte(`"x"`))), `{"a":"x","b":{"c":2},"d":null}`},
		{"without", string(Without(raw, "a", "d", "z")), `{"b":{"c":2}}`},
		{"get", string(Get(raw, "b", "c")), `2`},
		{"get of nothing", string(Get(raw, "b", "x", "y")), ``},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, test.got, test.want)
		}
	}
	if string(raw) != kept {
		t.Errorf("the source was changed: %s", raw)
	}
}

func TestScalars(t *testing.T) {
	if got := ID([]byte(`"123"`)); got != 123 {
		t.Errorf("id is %d", got)
	}
	for _, none := range []string{``, `"`, `""`, `null`, `12`, `"x"`, `"-1"`} {
		if got := ID([]byte(none)); got != 0 {
			t.Errorf("id of %s is %d", none, got)
		}
	}
	if n, ok := Int([]byte(`-7`)); n != -7 || !ok {
		t.Errorf("int is %d %t", n, ok)
	}
	if _, ok := Int([]byte(`"7"`)); ok {
		t.Error("a string is no int")
	}
	if got := String([]byte(`"a\u00e9\n"`)); got != "aé\n" {
		t.Errorf("string is %q", got)
	}
}

// FuzzSplice holds two things: nothing panics, and of valid JSON every field and element is found,
// and written back as the same value.
func FuzzSplice(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":"\\\""}],"c":{}}`, `[[],"]",null]`, `{"a":"`, ` {"a" :1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o := Parse(raw)
		text := o.Append(nil)
		for range Items(raw) { // must not panic
		}
		_, _ = ID(raw), String(raw)
		var want map[string]json.RawMessage
		if json.Unmarshal(raw, &want) != nil || want == nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q became %q", raw, text)
		}
		if bytes.ContainsRune(raw, '\\') {
			return // two texts of one key are two keys here
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(text, &got); err != nil || len(got) != len(want) {
			t.Fatalf("%q became %q (%v)", raw, text, err)
		}
		for k := range want {
			if !reflect.DeepEqual(bytes.TrimSpace(got[k]), bytes.TrimSpace(want[k])) {
				t.Fatalf("key %q of %q: got %s, want %s", k, raw, got[k], want[k])
			}
		}
	})
}
