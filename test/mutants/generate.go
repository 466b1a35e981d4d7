package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// mutant is one small fault in the code. All mutants are built at once; live.On(number) switches
// one on.
type mutant struct {
	number int
	file   string // from the top of the repository
	// where it is and what it does, the same in every run: "actors/gate/gate.go IdentifyGate.hand:
	// if wait > 0 := false"
	name   string
	breaks string // the promise behind a mutant of the table; empty for a generated one
}

// edit inserts text at an offset of a file. Only insertions: mutants nest, and lines keep their
// numbers.
type edit struct {
	at   int
	text string
}

// wrapped is a mutant and what it puts around a piece of code.
type wrapped struct {
	mutant
	from, to      int // offsets of the piece
	before, after string
}

// file is one source file with its mutants.
type file struct {
	path string
	text []byte
	set  *token.FileSet
	tree *ast.File

	found []wrapped
	names map[string]int
	in    string // the function that is walked
}

func parse(path string, text []byte) (*file, error) {
	f := &file{path: path, text: text, set: token.NewFileSet(), names: map[string]int{}}
	var err error
	f.tree, err = parser.ParseFile(f.set, path, text, parser.SkipObjectResolution|parser.ParseComments)
	return f, err
}

// generate finds every mutant that the syntax offers: each statement left out, each condition true
// and false, each operand of one left out, each time zero and long.
func (f *file) generate() {
	for _, d := range f.tree.Decls {
		fn, is := d.(*ast.FuncDecl)
		if !is || fn.Body == nil {
			continue
		}
		f.in = functionName(fn)
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BlockStmt:
				f.statements(n.List)
			case *ast.CaseClause:
				f.statements(n.Body)
			case *ast.IfStmt:
				f.condition("if", n.Cond)
			case *ast.SwitchStmt:
				if n.Tag == nil {
					for _, c := range n.Body.List {
						for _, e := range c.(*ast.CaseClause).List {
							f.condition("case", e)
						}
					}
				}
			case *ast.ReturnStmt:
				for _, e := range n.Results {
					if decides(e) {
						f.condition("return", e)
					}
				}
			case *ast.AssignStmt:
				for _, e := range n.Rhs {
					if decides(e) {
						f.condition("=", e)
					}
				}
			case *ast.CallExpr:
				f.times(n)
			}
			return true
		})
	}
}

// functionName returns "Type.method" or "function".
func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	if star, is := t.(*ast.StarExpr); is {
		t = star.X
	}
	if index, is := t.(*ast.IndexExpr); is {
		t = index.X
	}
	return t.(*ast.Ident).Name + "." + fn.Name.Name
}

// onlyReported matches statements without consequences: logging, and reports to observers.
var onlyReported = regexp.MustCompile(`\bLog\.|\blog\.|ddresses\.Events\b|^panic\(`)

// statements leaves out each statement that can be.
func (f *file) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt:
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		default:
			continue
		}
		if text := f.source(s); !onlyReported.MatchString(text) {
			f.add("drop", s, "if !live.On(%d) { ", " }")
		}
	}
}

// decides reports whether an expression compares or combines truths.
func decides(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return decides(e.X)
	case *ast.UnaryExpr:
		return e.Op == token.NOT
	case *ast.BinaryExpr:
		switch e.Op {
		case token.LAND, token.LOR, token.EQL, token.NEQ, token.LSS, token.GTR, token.LEQ, token.GEQ:
			return true
		}
	}
	return false
}

// condition makes a condition true and false, and leaves out each of its operands.
func (f *file) condition(where string, e ast.Expr) {
	f.add(where+" true", e, "(live.On(%d) || ", ")")
	f.add(where+" false", e, "(!live.On(%d) && (", "))")
	f.operands(e)
}

func (f *file) operands(e ast.Expr) {
	if p, is := e.(*ast.ParenExpr); is {
		f.operands(p.X)
		return
	}
	b, is := e.(*ast.BinaryExpr)
	if !is || b.Op != token.LAND && b.Op != token.LOR {
		return
	}
	for _, o := range []ast.Expr{b.X, b.Y} {
		if inner, is := o.(*ast.BinaryExpr); is && inner.Op == b.Op {
			f.operands(o)
			continue
		}
		if b.Op == token.LAND {
			f.add("without", o, "(live.On(%d) || ", ")")
		} else {
			f.add("without", o, "(!live.On(%d) && (", "))")
		}
		f.operands(o)
	}
}

// times changes how long something waits: the time given to In, After and Add is nothing, or twenty
// times as long; each part of a sum is nothing.
func (f *file) times(call *ast.CallExpr) {
	sel, is := call.Fun.(*ast.SelectorExpr)
	if !is {
		return
	}
	at := 0
	switch sel.Sel.Name {
	case "In":
		if pkg, is := sel.X.(*ast.Ident); is && pkg.Name == "unicode" {
			return
		}
		at = 1
	case "After":
		if len(call.Args) == 3 {
			at = 1
		}
	case "Add":
	default:
		return
	}
	if at >= len(call.Args) || sel.Sel.Name == "After" && len(call.Args) == 1 { // Time.After
		return
	}
	d := call.Args[at]
	if _, literal := d.(*ast.BasicLit); literal {
		return
	}
	f.add("never wait", d, "live.Times(%d, 0, ", ")")
	f.add("wait long", d, "live.Times(%d, 20, ", ")")
	f.terms(d)
}

func (f *file) terms(e ast.Expr) {
	b, is := e.(*ast.BinaryExpr)
	if !is || b.Op != token.ADD && b.Op != token.SUB {
		return
	}
	for _, o := range []ast.Expr{b.X, b.Y} {
		if inner, is := o.(*ast.BinaryExpr); is && inner.Op == token.ADD {
			f.terms(o)
			continue
		}
		f.add("wait without", o, "live.Times(%d, 0, ", ")")
	}
}

// add adds a mutant. before holds %d where its number goes.
func (f *file) add(what string, n ast.Node, before, after string) {
	f.addNamed(mutant{name: fmt.Sprintf("%s %s: %s %#q", f.path, f.in, what, f.source(n))}, n, before, after)
}

func (f *file) addNamed(m mutant, n ast.Node, before, after string) {
	f.names[m.name]++
	if same := f.names[m.name]; same > 1 {
		m.name = fmt.Sprintf("%s #%d", m.name, same)
	}
	m.file = f.path
	f.found = append(f.found, wrapped{m, f.offset(n.Pos()), f.offset(n.End()), before, after})
}

func (f *file) offset(p token.Pos) int { return f.set.Position(p).Offset }

// source returns the text of a node, in one line.
func (f *file) source(n ast.Node) string {
	return strings.Join(strings.Fields(string(f.text[f.offset(n.Pos()):f.offset(n.End())])), " ")
}

// apply puts a mutant of the table into the file: its text must be there once, in its function.
func (f *file) apply(m byHand) error {
	var inside *ast.FuncDecl
	for _, d := range f.tree.Decls {
		if fn, is := d.(*ast.FuncDecl); is && functionName(fn) == m.in {
			inside = fn
		}
	}
	if inside == nil {
		return fmt.Errorf("mutant %q: %s has no function %s", m.name, m.file, m.in)
	}
	if m.from == "" {
		return fmt.Errorf("mutant %q: it replaces nothing", m.name)
	}
	var at []piece
	match := func(from, to ast.Node, isStatement bool) {
		if p := (piece{from.Pos(), to.End(), isStatement}); f.source(p) == m.from && !slices.ContainsFunc(at, func(o piece) bool { return o.from == p.from }) {
			at = append(at, p)
		}
	}
	ast.Inspect(inside, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			runs(n.List, match)
		case *ast.CaseClause:
			runs(n.Body, match)
		case ast.Expr:
			match(n, n, false)
		}
		return true
	})
	if len(at) != 1 {
		return fmt.Errorf("mutant %q: `%s` is %d times in %s of %s; want once", m.name, m.from, len(at), m.in, m.file)
	}
	named := mutant{name: fmt.Sprintf("%s %s: %s", m.file, m.in, m.name), breaks: m.breaks}
	if at[0].isStatement {
		f.addNamed(named, at[0], "if live.On(%d) { "+m.to+" } else { ", " }")
	} else {
		f.addNamed(named, at[0], "live.Pick(%d, ", ", "+m.to+")")
	}
	return nil
}

// piece is one expression, or some statements that follow each other.
type piece struct {
	from, to    token.Pos
	isStatement bool
}

func (p piece) Pos() token.Pos { return p.from }
func (p piece) End() token.Pos { return p.to }

// runs calls each with every run of statements of a list.
func runs(list []ast.Stmt, each func(from, to ast.Node, isStatement bool)) {
	for i := range list {
		for _, last := range list[i:] {
			each(list[i], last, true)
		}
	}
}

// rewrite returns the file with its mutants in it, numbered from first.
func (f *file) rewrite(first int) ([]mutant, []byte, error) {
	var all []mutant
	type insertion struct {
		edit
		opens  bool
		length int // of the piece: the longer one is outside
		order  int
	}
	var edits []insertion
	for i, w := range f.found {
		w.number = first + i
		all = append(all, w.mutant)
		edits = append(edits,
			insertion{edit{w.from, fmt.Sprintf(w.before, w.number)}, true, w.to - w.from, i},
			insertion{edit{w.to, w.after}, false, w.to - w.from, -i})
	}
	slices.SortStableFunc(edits, func(a, b insertion) int {
		switch {
		case a.at != b.at:
			return a.at - b.at
		case a.opens != b.opens: // what ends here ends before another piece begins
			if a.opens {
				return 1
			}
			return -1
		case a.length != b.length && a.opens:
			return b.length - a.length
		case a.length != b.length:
			return a.length - b.length
		}
		return a.order - b.order
	})
	name := f.offset(f.tree.Name.End())
	var out bytes.Buffer
	out.Write(f.text[:name])
	out.WriteString(`; import "github.com/discluster/control/test/mutants/live"`)
	last := name
	for _, e := range edits {
		out.Write(f.text[last:e.at])
		out.WriteString(e.text)
		last = e.at
	}
	out.Write(f.text[last:])
	if _, err := parser.ParseFile(token.NewFileSet(), f.path, out.Bytes(), parser.SkipObjectResolution); err != nil {
		return nil, nil, fmt.Errorf("%s with its mutants: %w", f.path, err)
	}
	return all, out.Bytes(), nil
}
