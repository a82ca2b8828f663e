package strict

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Table is one table of a file. Its readers give the default where a key is missing, and note a
// mistake where it has a wrong type.
type Table struct {
	doc    *Doc
	path   string
	values map[string]any
	seen   map[string]bool
}

// Key is a key's whole path, for Fail.
func (t *Table) Key(key string) string {
	if t.path == "" {
		return key
	}
	return t.path + "." + key
}

// Fail notes a mistake at a key of the table.
func (t *Table) Fail(key, format string, args ...any) { t.doc.Fail(t.Key(key), format, args...) }

// Has says whether the key is there.
func (t *Table) Has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// Keys gives the keys that are there, sorted: for a table whose keys are the writer's own.
func (t *Table) Keys() []string { return slices.Sorted(maps.Keys(t.values)) }

// Empty says whether the key is there and is a list without entries.
func (t *Table) Empty(key string) bool {
	list, ok := t.values[key].([]any)
	return ok && len(list) == 0
}

func read[T any](t *Table, key, want string, def T) T {
	t.seen[key] = true
	v, ok := t.values[key]
	if !ok {
		return def
	}
	if x, ok := v.(T); ok {
		return x
	}
	t.Fail(key, "must be %s", want)
	return def
}

// String reads a string.
func (t *Table) String(key, def string) string { return read(t, key, "a string", def) }

// Bool reads true or false.
func (t *Table) Bool(key string, def bool) bool { return read(t, key, "true or false", def) }

// Int reads a whole number within bounds.
func (t *Table) Int(key string, def, least, most int64) int64 {
	n := read(t, key, "a whole number", def)
	if n < least || n > most {
		t.Fail(key, "must be between %d and %d", least, most)
		return def
	}
	return n
}

// Float reads a number within bounds; a whole one will do.
func (t *Table) Float(key string, def, least, most float64) float64 {
	if n, ok := t.values[key].(int64); ok {
		t.values[key] = float64(n)
	}
	f := read(t, key, "a number", def)
	if !(f >= least && f <= most) {
		t.Fail(key, "must be between %g and %g", least, most)
		return def
	}
	return f
}

// Strings reads a list of strings; nil where it is missing.
func (t *Table) Strings(key string, most int) []string {
	return list[string](t, key, "a list of strings", most)
}

// Ints reads a list of whole numbers; nil where it is missing.
func (t *Table) Ints(key string, most int) []int64 {
	return list[int64](t, key, "a list of whole numbers", most)
}

func list[T any](t *Table, key, want string, most int) []T {
	in := read[[]any](t, key, want, nil)
	if len(in) > most {
		t.Fail(key, "must have at most %d entries", most)
		return nil
	}
	out := make([]T, 0, len(in))
	for _, v := range in {
		x, ok := v.(T)
		if !ok {
			t.Fail(key, "must be %s", want)
			return nil
		}
		out = append(out, x)
	}
	return out
}

// Duration reads a time like "90s", "15m", "1h30m" or "90d", within bounds.
func (t *Table) Duration(key string, def, least, most time.Duration) time.Duration {
	text := t.String(key, "")
	if !t.Has(key) {
		return def
	}
	d, err := duration(text)
	switch {
	case err != nil:
		t.Fail(key, `must be a duration such as "90s", "15m" or "90d"`)
		return def
	case d < least || d > most:
		t.Fail(key, "must be between %s and %s", least, most)
		return def
	}
	return d
}

func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// units of a size, the longest suffix first.
var units = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

// Bytes reads a size like "100MiB"; "0" is no limit.
func (t *Table) Bytes(key string, def int64) int64 {
	text := t.String(key, "")
	if !t.Has(key) {
		return def
	}
	if text == "0" {
		return 0
	}
	for _, u := range units {
		if number, ok := strings.CutSuffix(text, u.suffix); ok {
			if n, err := strconv.ParseFloat(strings.TrimSpace(number), 64); err == nil && n > 0 && n*u.bytes < 1<<50 {
				return int64(n * u.bytes)
			}
			break
		}
	}
	t.Fail(key, `must be a size such as "100MiB" or "2GiB", or "0" for no limit`)
	return def
}

// Table reads a table; an empty one where it is missing.
func (t *Table) Table(key string) *Table {
	values := read(t, key, "a table", map[string]any{})
	return &Table{doc: t.doc, path: t.Key(key), values: values, seen: map[string]bool{}}
}

// Tables reads an array of tables; nil where it is missing.
func (t *Table) Tables(key string, most int) []*Table {
	in := read[[]any](t, key, "an array of tables, [["+key+"]]", nil)
	if len(in) > most {
		t.Fail(key, "must have at most %d entries", most)
		return nil
	}
	var out []*Table
	for i, v := range in {
		values, ok := v.(map[string]any)
		if !ok {
			t.Fail(key, "must be an array of tables, [[%s]]", key)
			return nil
		}
		out = append(out, &Table{doc: t.doc, path: fmt.Sprintf("%s[%d]", t.Key(key), i), values: values, seen: map[string]bool{}})
	}
	return out
}

// Done notes every key that was not asked for.
func (t *Table) Done() {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if !t.seen[key] {
			t.Fail(key, "no such key; known here: %s", strings.Join(slices.Sorted(maps.Keys(t.seen)), ", "))
		}
	}
}
