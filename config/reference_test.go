package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write README.md instead of comparing it")

// TestReference compares README.md with the doc comments of config.go.
func TestReference(t *testing.T) {
	want := reference(t)
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("README.md differs from the comments of config.go: go test ./config -run TestReference -update")
	}
}

const referenceHead = `# Configuration

The reference of every setting, generated from [config.go](config.go).

Settings come from defaults, then one YAML file (` + "`-c control.yaml`" + `), then ` + "`CONTROL_*`" + ` variables, then flags; the later wins.
A setting has one name in three spellings: ` + "`master.url`" + ` in the file, ` + "`CONTROL_MASTER__URL`" + ` in the environment (` + "`__`" + ` is a level), ` + "`--master.url`" + ` where it is a flag.
Secrets are never flags. Maps merge over the sources, lists are replaced.
` + "`control config check -c control.yaml`" + ` reports every mistake at once, with key, value, rule and origin.
`

// reference writes the page: a table for each section, a row for each key.
func reference(t *testing.T) string {
	sections, docs := comments(t)
	var page strings.Builder
	page.WriteString(referenceHead)
	section := ""
	for _, f := range defaults().fields() {
		name, key, _ := strings.Cut(f.key, ".")
		if name != section {
			section = name
			fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| key | meaning | default | variable |\n| --- | --- | --- | --- |\n", name, sections[name])
		}
		meaning, variable, value := splitDoc(t, f.key, docs[f.key])
		mark := ""
		if f.usage != "" {
			mark = ", a flag"
		}
		fmt.Fprintf(&page, "| `%s`%s | %s | %s | %s |\n", key, mark, meaning, value, variable)
	}
	return page.String()
}

// docForm matches the end of a field's doc: its variables, its default.
var docForm = regexp.MustCompile(`(?s)^(.*?)\s*(CONTROL_[A-Z0-9_]+(?:=\w+)?(?:, or else [A-Z_]+)?)\.\s*Default: (.*)\.$`)

// verb is dropped from a doc after the name: a cell of the table is a phrase.
var verb = regexp.MustCompile(`^(is|are) `)

func splitDoc(t *testing.T, key, doc string) (meaning, variable, value string) {
	m := docForm.FindStringSubmatch(doc)
	if m == nil {
		t.Fatalf("%s: its doc %q does not end in \"CONTROL_….  Default: ….\"", key, doc)
	}
	return cell(m[1]), "`" + strings.ReplaceAll(m[2], ", or else ", "`, or else `") + "`", cell(m[3])
}

// cell escapes a text for one cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// comments reads config.go: the doc of each section's type, and of each key's field.
func comments(t *testing.T) (sections, docs map[string]string) {
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	structs, typeDocs := map[string]*ast.StructType{}, map[string]string{}
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.TYPE {
			continue
		}
		for _, spec := range d.Specs {
			s := spec.(*ast.TypeSpec)
			if body, ok := s.Type.(*ast.StructType); ok {
				structs[s.Name.Name], typeDocs[s.Name.Name] = body, line(d.Doc)
			}
		}
	}
	sections, docs = map[string]string{}, map[string]string{}
	for _, section := range structs["Config"].Fields.List {
		name, kind := key(section), fmt.Sprint(section.Type)
		if name == "" {
			continue
		}
		sections[name] = strings.TrimPrefix(strings.TrimPrefix(typeDocs[kind], kind+" is "), kind+" are ")
		sections[name] = strings.ToUpper(sections[name][:1]) + sections[name][1:]
		document(structs, docs, name, kind)
	}
	return sections, docs
}

// document adds the docs of a section's fields, and of those of the sections in it.
func document(structs map[string]*ast.StructType, docs map[string]string, section, kind string) {
	for _, f := range structs[kind].Fields.List {
		if inner := fmt.Sprint(f.Type); structs[inner] != nil {
			document(structs, docs, section+"."+key(f), inner)
			continue
		}
		docs[section+"."+key(f)] = verb.ReplaceAllString(strings.TrimPrefix(line(f.Doc), f.Names[0].Name+" "), "")
	}
}

// key is a field's koanf tag.
func key(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	return reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("koanf")
}

// line joins a comment into one line.
func line(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }
