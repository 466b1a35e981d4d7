package admin

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// description is the part of openapi.json that is checked.
type description struct {
	Paths map[string]map[string]struct {
		Parameters []struct{ Name, In string }
		Responses  map[string]struct {
			Content map[string]struct{ Schema schema }
		}
		RequestBody *struct {
			Content map[string]struct{ Schema schema }
		}
	}
	Components struct{ Schemas map[string]schema }
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Format     string
	Enum       []string
	Items      *schema
	Required   []string
	Properties map[string]schema
}

func describe(t *testing.T) (d description) {
	t.Helper()
	if err := json.Unmarshal(openAPI, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Every route is described, with the variables in its path, and nothing else.
func TestOpenAPIRoutes(t *testing.T) {
	d, described := describe(t), map[string]bool{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			described[strings.ToUpper(method)+" "+path] = true
			for _, p := range op.Parameters {
				if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") {
					t.Errorf("%s: parameter %s is not in the path", path, p.Name)
				}
			}
			for part := range strings.SplitSeq(path, "/") {
				if name, is := strings.CutPrefix(part, "{"); is && !slices.ContainsFunc(op.Parameters, func(p struct{ Name, In string }) bool { return p.Name+"}" == name }) {
					t.Errorf("%s: %s is not described", path, part)
				}
			}
		}
	}
	for _, r := range routes {
		pattern := strings.TrimSuffix(r.pattern, "{$}")
		if !described[pattern] {
			t.Errorf("%s is not described", pattern)
		}
		delete(described, pattern)
	}
	for pattern := range described {
		t.Errorf("%s is described, and is not there", pattern)
	}
}

// schemas are the Go types behind the description.
var schemas = map[string]any{
	"View": messages.View{}, "Machine": messages.MachineView{}, "ClusterCount": messages.ClusterCount{}, "Master": messages.MasterView{}, "Rolling": messages.RollingView{},
	"Cluster": messages.ClusterView{}, "StuckShard": messages.StuckShard{}, "HostMemory": messages.HostMemory{}, "Death": messages.Death{}, "GaveUp": messages.ClusterGaveUp{}, "Clusters": ClustersAnswer{}, "Shards": ShardsAnswer{}, "Shard": ShardView{}, "Sessions": SessionsAnswer{}, "Session": messages.SessionView{}, "Whereis": WhereisAnswer{},
	"Identify": IdentifyAnswer{}, "Events": EventsAnswer{}, "Given": OrderAnswer{}, "FleetGiven": FleetOrderAnswer{}, "IdentifyBudget": messages.IdentifyBudget{}, "Restart": RestartBody{}, "Fleet": messages.FleetView{}, "FleetMachine": messages.FleetMachine{}, "Range": messages.RangeInfo{}, "FleetClusters": messages.ClusterCounts{}, "Problem": Problem{},
	"Ask": AskBody{}, "Answers": AskAnswer{}, "AskResult": messages.AskResult{}, "AskError": messages.AskError{},
}

// Every type of an answer is described: its fields, which of them are required, and their types.
func TestOpenAPITypes(t *testing.T) {
	d := describe(t)
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		s := d.Components.Schemas[name]
		value, known := schemas[name]
		switch {
		case name == "Error" || name == "Event": // TestOpenAPIAnswers
			continue
		case !known:
			t.Errorf("%s: no such type", name)
			continue
		}
		left := maps.Clone(s.Properties)
		for f := range fieldsOf(reflect.TypeOf(value)) {
			is, described := s.Properties[f.name]
			if !described {
				t.Errorf("%s.%s is not described", name, f.name)
				continue
			}
			if want := typeOf(f.of); want != is.Type && is.Ref == "" || is.Ref != "" && want != "object" {
				t.Errorf("%s.%s: a %s, described as %s%s", name, f.name, want, is.Type, is.Ref)
			}
			if f.of == reflect.TypeFor[time.Time]() && is.Format != "date-time" {
				t.Errorf("%s.%s: a date-time", name, f.name)
			}
			if name != "Restart" && slices.Contains(s.Required, f.name) == f.optional {
				t.Errorf("%s.%s: optional is %v", name, f.name, f.optional)
			}
			delete(left, f.name)
		}
		for field := range left {
			t.Errorf("%s.%s is described, and is not there", name, field)
		}
	}
	for name := range schemas {
		if _, described := d.Components.Schemas[name]; !described {
			t.Errorf("%s is not described", name)
		}
	}
}

type jsonField struct {
	name     string
	of       reflect.Type
	optional bool
}

// fieldsOf returns the fields of a struct as JSON has them.
func fieldsOf(t reflect.Type) func(yield func(jsonField) bool) {
	return func(yield func(jsonField) bool) {
		for f := range t.Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "-" && !yield(jsonField{name, f.Type, options == "omitempty"}) {
				return
			}
		}
	}
}

// typeOf returns the JSON Schema name of a Go type.
func typeOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "string"
	case t == reflect.TypeFor[messages.ShardRange]():
		return "array"
	case t == reflect.TypeFor[json.RawMessage](): // any
		return ""
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeOf(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Float64:
		return "number"
	}
	return "integer"
}

// Closed sets are described completely.
func TestOpenAPISets(t *testing.T) {
	d := describe(t).Components.Schemas
	for _, c := range []struct {
		of, field string
		want      []string
	}{
		{"Cluster", "state", texts(clusterStates)}, {"Shard", "state", texts(shardStates)}, {"Whereis", "state", texts(shardStates)}, {"Death", "cause", texts(causes)},
		{"Event", "level", []string{"debug", "info", "warn", "error"}},
	} {
		if got := d[c.of].Properties[c.field].Enum; !slices.Equal(got, c.want) {
			t.Errorf("%s.%s: %v, want %v", c.of, c.field, got, c.want)
		}
	}
}

func texts[T ~string](all []T) (texts []string) {
	for _, one := range all {
		texts = append(texts, string(one))
	}
	return texts
}

// Answers have the described status and content type, and, in JSON, the fields.
func TestOpenAPIAnswers(t *testing.T) {
	d := describe(t)
	answers := messages.AskAnswer{Results: []messages.AskResult{{Cluster: 0, Value: json.RawMessage(`[{"a":1}]`)}}, Errors: []messages.AskError{{Cluster: 1, Err: "it is stopped"}}}
	_, at := serve(t, Options{}, &stub{view: aView(), answers: answers, kept: messages.EventBatch{Last: 8, Events: []messages.EventRecord{record(8, messages.MachineLeft{Source: "m2"})}}})
	fill := strings.NewReplacer("{cluster}", "1", "{shard}", "5", "{machine}", "m1", "{guild}", "81384788765712384", "{file}", "live.js")
	for path, methods := range d.Paths {
		for method, op := range methods {
			wanted, body := map[string]int{"get": 200, "post": 202}[method], ""
			switch path {
			case "/readyz":
				wanted = 503 // a cluster is starting
			case askPath:
				wanted, body = 200, `{"to":"all","handler":"pid"}`
			}
			status, answer := request(t, at, strings.ToUpper(method), fill.Replace(path), body, asJSON)
			if status != wanted {
				t.Errorf("%s %s: %d %s", method, path, status, answer)
			}
			code := map[int]string{200: "200", 202: "202", 503: "503"}[status]
			content, isJSON := op.Responses[code].Content["application/json"]
			if !isJSON {
				continue
			}
			var got any
			if err := json.Unmarshal([]byte(answer), &got); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			d.conforms(t, path, content.Schema, got)
		}
	}
	var problem any
	_, answer := request(t, at, "GET", "/api/v1/clusters/9", "")
	if err := json.Unmarshal([]byte(answer), &problem); err != nil {
		t.Fatal(err)
	}
	d.conforms(t, "a problem", schema{Ref: "#/components/schemas/Error"}, problem)
}

// conforms checks that a value has the required fields, each as described.
func (d description) conforms(t *testing.T, at string, s schema, value any) {
	t.Helper()
	if name, is := strings.CutPrefix(s.Ref, "#/components/schemas/"); is {
		s = d.Components.Schemas[name]
	}
	if s.Type == "" {
		return // any value of a bot
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, is := value[name]; !is {
				t.Errorf("%s: no %s", at, name)
			}
		}
		for name, one := range value {
			if is, described := s.Properties[name]; described {
				d.conforms(t, at+"."+name, is, one)
			}
		}
	case []any:
		for _, one := range value {
			if s.Items == nil {
				t.Errorf("%s: a list", at)
				return
			}
			d.conforms(t, at, *s.Items, one)
		}
	case string:
		if s.Type != "string" || len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
			t.Errorf("%s: %q", at, value)
		}
	case float64:
		if s.Type != "integer" && s.Type != "number" {
			t.Errorf("%s: a number", at)
		}
	case bool:
		if s.Type != "boolean" {
			t.Errorf("%s: a boolean", at)
		}
	}
}
