package messages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// EventNames lists every event: each type of this package with a method Event.
func TestEventNames(t *testing.T) {
	listed := map[string]bool{}
	for _, e := range eventKinds {
		listed[reflect.TypeOf(e).Name()] = true
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is || f.Name.Name != "Event" || f.Recv == nil {
				continue
			}
			if name := f.Recv.List[0].Type.(*ast.Ident).Name; !listed[name] {
				t.Errorf("eventKinds lacks %s{}", name)
			}
		}
	}
	if names := EventNames(); !slices.Contains(names, "cluster.gave_up") || !slices.IsSorted(names) {
		t.Errorf("%q", names)
	}
}
