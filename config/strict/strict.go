// Package strict reads TOML without forgiving anything: an unknown key, a wrong type and a value out
// of bounds are errors that name file, line and key and say what is allowed, and all of them come at
// once. The file is hostile: its size is bounded and no content makes the package panic.
package strict

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// MaxSize bounds a file. A catalogue of hundreds of apps is far smaller. Chosen by us.
const MaxSize = 1 << 20

// Error is one mistake in a file.
type Error struct {
	File    string
	Line    int // 0 where none can be named
	Key     string
	Message string // what is allowed
}

// Error is one line: "telltale.toml:12: schedule.interval: …"; more where the mistakes are those of another file. What
// would make a terminal do things is replaced: a key is in the writer's words, and a catalogue file may be anybody's.
func (e Error) Error() string {
	at := e.File
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Key != "" {
		at += ": " + e.Key
	}
	return printable(at, "") + ": " + printable(e.Message, "\n")
}

// printable is a text in which everything else is replaced, but what is allowed beside.
func printable(text, beside string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || strings.ContainsRune(beside, r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// Errors are all mistakes of a file, in the order of its lines.
type Errors []Error

// Error has a line for each.
func (e Errors) Error() string {
	var b strings.Builder
	for _, one := range e {
		b.WriteString(one.Error() + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Doc is a file being read. Its tables note what is wrong; Err gives all of it.
type Doc struct {
	file  string
	lines map[string]int
	errs  Errors
}

// Parse reads a file into its root table. An error is a mistake of syntax, after which nothing else
// can be said.
func Parse(file string, data []byte) (*Doc, *Table, error) {
	d := &Doc{file: file, lines: map[string]int{}}
	if len(data) > MaxSize {
		return nil, nil, Errors{{File: file, Message: fmt.Sprintf("larger than %d bytes", MaxSize)}}
	}
	values := map[string]any{}
	if err := toml.Unmarshal(data, &values); err != nil {
		e := Error{File: file, Message: strings.TrimPrefix(err.Error(), "toml: ")}
		var syntax *toml.DecodeError
		if errors.As(err, &syntax) {
			e.Line, _ = syntax.Position()
		}
		return nil, nil, Errors{e}
	}
	d.index(data)
	return d, &Table{doc: d, values: values, seen: map[string]bool{}}, nil
}

// index notes the line of every key, by its path: "control[1].host".
func (d *Doc) index(data []byte) {
	breaks := lineBreaks(data)
	var p unstable.Parser
	p.Reset(data)
	counts, at := map[string]int{}, ""
	for p.NextExpression() {
		e := p.Expression()
		var parts []string
		line := 0
		for it := e.Key(); it.Next(); {
			parts = append(parts, string(it.Node().Data))
			line = lineAt(breaks, int(it.Node().Raw.Offset))
		}
		path := strings.Join(parts, ".")
		switch e.Kind {
		case unstable.Table:
			at = path
		case unstable.ArrayTable:
			at = fmt.Sprintf("%s[%d]", path, counts[path])
			counts[path]++
			path = at
		case unstable.KeyValue:
			if at != "" {
				path = at + "." + path
			}
		default:
			continue
		}
		if _, known := d.lines[path]; !known {
			d.lines[path] = line
		}
	}
}

// lineBreaks gives the offsets of all line feeds: the parser counts them anew for each key otherwise.
func lineBreaks(data []byte) []int {
	var out []int
	for i, b := range data {
		if b == '\n' {
			out = append(out, i)
		}
	}
	return out
}

// lineAt is the line of an offset, counted from 1.
func lineAt(breaks []int, offset int) int {
	n, _ := slices.BinarySearch(breaks, offset)
	return n + 1
}

// Fail notes a mistake at a key.
func (d *Doc) Fail(key, format string, args ...any) {
	d.errs = append(d.errs, Error{d.file, d.line(key), key, fmt.Sprintf(format, args...)})
}

// LineOf gives the line at which a key stands in a file's content, or the nearest table around it; 0 where neither
// does, or where the content can't be read.
func LineOf(data []byte, key string) int {
	d, _, err := Parse("", data)
	if err != nil {
		return 0
	}
	return d.line(key)
}

// line is that of the key, or of the nearest table around it.
func (d *Doc) line(key string) int {
	for key != "" {
		if n := d.lines[key]; n > 0 {
			return n
		}
		i := strings.LastIndexAny(key, ".[")
		key = key[:max(i, 0)]
	}
	return 0
}

// Err gives all mistakes, nil for none.
func (d *Doc) Err() error {
	if len(d.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(d.errs, func(a, b Error) int { return a.Line - b.Line })
	return d.errs
}
