package test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// plain are words that a stranger stumbles over in a comment or a document, where machines and
// processes are meant, each with what is written instead.
var plain = map[string]string{
	"anew": "again", "for ever": "forever", "meanwhile": "leave it out", "whoever": "name it", "no news": "leave it out", "takes note": "notes",
	"somebody": "name it", "nobody": "name it", "he": "it", "him": "it", "his": "its",
	"wish": "request", "wishes": "requests", "wished": "requested", "mourning": "afterExit", "heir": "name it", "deserted": "name it",
	"tell": "send, report", "tells": "sends, reports", "told": "sent, reported", "telling": "sending", "said": "reported", "says": "reports",
	"is to be": "must be", "are to be": "must be", "was to be": "had to be", "were to be": "had to be", "is to come": "follows", "are to come": "follow",
	"stands": "is", "so many": "the number", "in vain": "leave it out", "hence": "so", "lest": "so that … not", "thereof": "of it",
}

func TestWordsArePlain(t *testing.T) {
	words := regexp.MustCompile(`(?i)\b(` + strings.Join(keysOf(plain), "|") + `)\b`)
	complain := func(where, text string) {
		for _, word := range words.FindAllString(text, -1) {
			t.Errorf("%s: %q: write %q", where, word, plain[strings.ToLower(word)])
		}
	}
	eachComment(t, func(at, comment string) {
		_, text, _ := strings.Cut(comment, " ")
		_, text, _ = strings.Cut(text, " ") // what it documents may have any name
		complain(at, text)
	})
	quoted := regexp.MustCompile("(?s)```.*?```|`[^`]*`|\"[^\"]*\"")
	for name, text := range documents(t) {
		complain(name, quoted.ReplaceAllString(text, ""))
	}
}

// opening matches a doc comment that describes in place of stating what the caller gets.
var opening = regexp.MustCompile(`^// [A-Za-z]\w* is (what|when|how|who|whether) `)

// widest is the number of columns of a comment. A drawing or a table, which begins with a tab, may
// be wider.
const widest = 100

func TestCommentsAreReadable(t *testing.T) {
	eachComment(t, func(at, comment string) {
		switch {
		case opening.MatchString(comment):
			t.Errorf("%s: want what the caller gets: %.60s", at, comment)
		case strings.HasPrefix(comment, "// ") && utf8.RuneCountInString(comment) > widest:
			t.Errorf("%s: more than %d columns: %.60s", at, widest, comment)
		}
	})
}

// eachComment calls fn with every line of comment in the repository's Go files, and its place.
func eachComment(t *testing.T, fn func(at, comment string)) {
	t.Helper()
	all, err := repository(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.tree == nil {
			continue
		}
		for _, group := range s.tree.Comments {
			for _, comment := range group.List {
				fn(s.at(comment), comment.Text)
			}
		}
	}
}

func keysOf(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
