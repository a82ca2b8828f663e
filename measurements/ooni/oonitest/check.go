package oonitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Checker holds records against the format, and remembers which keys they had. The zero value is ready.
type Checker struct {
	seen map[string]bool // "form.key"
	bad  []string
}

// Check gives what is wrong with a record: with its keys, their types and words, with keys that are not
// the format's and don't begin with x_, and with what entries say of each other. Nothing where it is right.
func (c *Checker) Check(line []byte) []string {
	c.bad = nil
	var record any
	if err := json.Unmarshal(line, &record); err != nil {
		return []string{err.Error()}
	}
	if bytes.ContainsAny(line, "\r\n") {
		c.fail("the record", "is more than one line")
	}
	c.value("record", "record", record)
	if c.bad == nil {
		c.relations(record.(map[string]any))
	}
	return c.bad
}

// Missing gives the keys of the format, as "form.key", that no record had so far, but for Unfilled.
func (c *Checker) Missing() (out []string) {
	for form, text := range forms {
		for _, f := range fields(text) {
			name := form + "." + f.key
			if _, never := Unfilled[name]; !never && !c.seen[name] {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

func (c *Checker) fail(where, format string, args ...any) {
	c.bad = append(c.bad, where+": "+fmt.Sprintf(format, args...))
}

// field is one key of a form.
type field struct {
	key      string
	optional bool
	types    []string
}

func fields(form string) (out []field) {
	for _, word := range strings.Fields(form) {
		key, types, _ := strings.Cut(word, ":")
		key, optional := strings.CutSuffix(key, "?")
		out = append(out, field{key, optional, strings.Split(types, "|")})
	}
	return out
}

// value checks a value against a type, and all that is in it.
func (c *Checker) value(where, kind string, v any) {
	if of, list := strings.CutPrefix(kind, "[]"); list {
		entries, ok := v.([]any)
		if !ok {
			c.fail(where, "is no array: %s", short(v))
		}
		for i, entry := range entries {
			c.value(fmt.Sprintf("%s[%d]", where, i), of, entry)
		}
		return
	}
	if form, ok := forms[kind]; ok {
		c.object(where, kind, form, v)
		return
	}
	if ok, known := is(kind, v); !known || !ok {
		c.fail(where, "is no %s: %s", kind, short(v))
	}
	if kind == "extensions" {
		for key := range v.(map[string]any) {
			if !slices.Contains(extensions, key) {
				c.fail(where, "%s is no extension", key)
			}
		}
	}
}

func (c *Checker) object(where, name, form string, v any) {
	object, ok := v.(map[string]any)
	if !ok {
		c.fail(where, "is no object: %s", short(v))
		return
	}
	known := map[string]bool{}
	for _, f := range fields(form) {
		known[f.key] = true
		value, there := object[f.key]
		switch {
		case there:
			c.note(name + "." + f.key)
			c.oneOf(where+"."+f.key, f.types, value)
		case !f.optional:
			c.fail(where, "%s is missing", f.key)
		}
	}
	for key := range object {
		if !known[key] && !strings.HasPrefix(key, "x_") {
			c.fail(where, "%s is no key of the format", key)
		}
	}
}

func (c *Checker) note(key string) {
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[key] = true
}

// oneOf checks a value against types of which one must fit; forms and lists stand alone.
func (c *Checker) oneOf(where string, types []string, v any) {
	if len(types) == 1 {
		c.value(where, types[0], v)
		return
	}
	for _, kind := range types {
		if ok, _ := is(kind, v); ok {
			return
		}
	}
	c.fail(where, "is none of %s: %s", strings.Join(types, ", "), short(v))
}
