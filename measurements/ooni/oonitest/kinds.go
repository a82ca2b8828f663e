package oonitest

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// is says whether a decoded JSON value is of a kind; known is false where there is no such kind.
func is(kind string, v any) (ok, known bool) {
	if list, closed := words[kind]; closed {
		s, text := v.(string)
		return text && slices.Contains(list, s), true
	}
	check, known := kinds[kind]
	return known && check(v), known
}

var kinds = map[string]func(any) bool{
	"null":   func(v any) bool { return v == nil },
	"string": text(func(string) bool { return true }),
	"bool":   func(v any) bool { _, ok := v.(bool); return ok },
	"object": func(v any) bool { _, ok := v.(map[string]any); return ok },
	"number": number(func(float64) bool { return true }),
	"int":    number(func(f float64) bool { return f == float64(int64(f)) }),
	"uint":   number(func(f float64) bool { return f >= 0 && f == float64(uint64(f)) }),
	"port":   number(func(f float64) bool { return f >= 1 && f == float64(uint16(f)) }),

	"strings":    mapping(func(v any) bool { _, ok := v.(string); return ok }),
	"extensions": mapping(func(v any) bool { return v == 0.0 }),
	"texts":      mapping(maybeBinary),
	"text":       maybeBinary,
	"header":     header,
	"failure":    failure,

	"base64": text(isBase64),
	"time": text(func(s string) bool {
		t, err := time.Parse("2006-01-02 15:04:05", s)
		return err == nil && t.Format("2006-01-02 15:04:05") == s
	}),
	"asn":     text(regexp.MustCompile(`^AS\d+$`).MatchString),
	"cc":      text(regexp.MustCompile(`^[A-Z]{2}$`).MatchString),
	"name":    text(regexp.MustCompile(`^telltale_[a-z0-9_-]+$`).MatchString), // never one of OONI's own
	"ip":      text(func(s string) bool { _, err := netip.ParseAddr(s); return err == nil }),
	"ipv4":    text(func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() }),
	"ipv6":    text(func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is6() && !a.Is4In6() }),
	"address": text(func(s string) bool { _, err := netip.ParseAddrPort(s); return err == nil }),
	"url": text(func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	}),
}

func text(ok func(string) bool) func(any) bool {
	return func(v any) bool {
		s, is := v.(string)
		return is && ok(s)
	}
}

func number(ok func(float64) bool) func(any) bool {
	return func(v any) bool {
		f, is := v.(float64)
		return is && ok(f)
	}
}

func mapping(ok func(any) bool) func(any) bool {
	return func(v any) bool {
		m, is := v.(map[string]any)
		for _, value := range m {
			is = is && ok(value)
		}
		return is
	}
}

// maybeBinary is a string, or bytes that are no UTF-8 (df-001).
func maybeBinary(v any) bool {
	if _, ok := v.(string); ok {
		return true
	}
	m, ok := v.(map[string]any)
	data, isText := m["data"].(string)
	return ok && len(m) == 2 && m["format"] == "base64" && isText && isBase64(data)
}

func isBase64(s string) bool {
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil
}

// header is a name and its value.
func header(v any) bool {
	pair, ok := v.([]any)
	return ok && len(pair) == 2 && maybeBinary(pair[0]) && maybeBinary(pair[1])
}

// failure is null, a word of the list, or what no word describes, without a line feed in it.
func failure(v any) bool {
	s, ok := v.(string)
	if !ok {
		return v == nil
	}
	rest, unknown := strings.CutPrefix(s, "unknown_failure: ")
	return slices.Contains(failures, s) || unknown && rest != "" && !strings.Contains(rest, "\n")
}

// short shows a value in a message.
func short(v any) string { return fmt.Sprintf("%.60v", v) }
