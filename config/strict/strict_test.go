package strict_test

import (
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/config/strict"
)

func root(t *testing.T, text string) (*strict.Doc, *strict.Table) {
	t.Helper()
	doc, table, err := strict.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc, table
}

func TestReaders(t *testing.T) {
	doc, r := root(t, "s = \"x\"\nb = true\ni = 3\nf = 2\nss = [\"a\", \"b\"]\nis = [1, 2]\nd = \"90d\"\nn = \"1.5KiB\"\n[t]\nk = \"v\"\n[[a]]\nk = 1\n[[a]]\nk = 2\n")
	if r.String("s", "") != "x" || !r.Bool("b", false) || r.Int("i", 0, 0, 9) != 3 || r.Float("f", 0, 0, 9) != 2 {
		t.Error("scalars")
	}
	if len(r.Strings("ss", 9)) != 2 || len(r.Ints("is", 9)) != 2 || r.Bytes("n", 0) != 1536 {
		t.Error("lists and sizes")
	}
	if r.Duration("d", 0, 0, 100*24*time.Hour) != 90*24*time.Hour || r.Table("t").String("k", "") != "v" {
		t.Error("durations and tables")
	}
	if a := r.Tables("a", 9); len(a) != 2 || a[1].Int("k", 0, 0, 9) != 2 || a[1].Key("k") != "a[1].k" {
		t.Error("arrays of tables")
	}
	if r.String("none", "def") != "def" || r.Has("none") {
		t.Error("a missing key")
	}
	r.Done()
	if err := doc.Err(); err != nil {
		t.Error(err)
	}
}

// TestAllMistakesAtOnce wants every one, in the order of the lines.
func TestAllMistakesAtOnce(t *testing.T) {
	doc, r := root(t, "z = 1\n[t]\nk = \"v\"\n\n[[a]]\nx = 1\n[[a]]\n\"quoted key\" = 2\n")
	for _, a := range r.Tables("a", 9) {
		a.Int("x", 5, 2, 9)
		a.Done()
	}
	r.Table("t").Int("k", 0, 0, 9)
	r.Done()
	want := "f:1: z: no such key; known here: a, t\n" +
		"f:3: t.k: must be a whole number\n" +
		"f:6: a[0].x: must be between 2 and 9\n" +
		"f:8: a[1].quoted key: no such key; known here: x"
	if err := doc.Err(); err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// TestKeysOfAnybody: a key is in the writer's words, and an error of it stays a line of text.
func TestKeysOfAnybody(t *testing.T) {
	doc, r := root(t, "\"\\u001b[2J\\n\\u0085\\u202e\" = 1\n")
	r.Done()
	if err, want := doc.Err(), "f:1: \ufffd[2J\ufffd\ufffd\ufffd: no such key; known here: "; err == nil || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestSyntaxAndSize(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\na = 2\n":                        "f:2: ",
		"a = \"\xff\"":                          "f:1: ",
		strings.Repeat("#", strict.MaxSize+1):   "f: larger than",
		"a = " + strings.Repeat("[", 1<<19):     "f:1: ",
		strings.Repeat("a.", 1<<16) + "a = 1\n": "",
	} {
		_, _, err := strict.Parse("f", []byte(text))
		if want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%.20q: %.80v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a = 1\n[[b]]\nc = {d = [1, \"2\"]}\n[b.e]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, r, err := strict.Parse("f", data)
		if err != nil {
			return
		}
		r.Tables("b", 4)
		r.Duration("a", 0, 0, time.Hour)
		r.Bytes("c", 0)
		r.Done()
		_ = doc.Err()
	})
}
