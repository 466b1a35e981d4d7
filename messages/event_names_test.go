package messages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// EventNames knows every event that there is: each type of this package with a method Event.
func TestEventNames(t *testing.T) {
	listed := map[string]bool{}
	for _, e := range eventKinds {
		listed[reflect.TypeOf(e).Name()] = true
	}
	sources := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	all, err := parser.ParseDir(token.NewFileSet(), ".", sources, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all["messages"].Files {
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
