package privacy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

// planted are spellings of what is ours, in turns one for each field.
var planted = []string{"192.168.1.7", "2001:db8:aaaa:1::7", "08:00:27:4e:66:a1", "annas-laptop", "fe80::a00:27ff:fe4e:66a1", "nas.mueller.example", "[2001:db8:aaaa:1::9]:443", "192.168.1.7:443"}

// full makes a value of a type in which every string, every run of bytes and every address holds something of ours,
// and every list, map and pointer is there.
func full(t reflect.Type, n *int) reflect.Value {
	v := reflect.New(t).Elem()
	*n++
	text := planted[*n%len(planted)]
	switch t {
	case timeType:
		v.Set(reflect.ValueOf(time.Unix(1e9, 0)))
		return v
	case addrType:
		v.Set(reflect.ValueOf(netip.MustParseAddr([]string{"192.168.1.7", "2001:db8:aaaa:1::7", "fe80::a00:27ff:fe4e:66a1"}[*n%3])))
		return v
	case addrPortType:
		v.Set(reflect.ValueOf(netip.MustParseAddrPort("192.168.1.7:1")))
		return v
	}
	switch t.Kind() {
	case reflect.String:
		switch {
		case closed[t]:
			text = "word"
		case t == reflect.TypeFor[measurements.Failure]():
			text = string(measurements.Unknown(text))
		}
		v.SetString(text)
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				v.Field(i).Set(full(t.Field(i).Type, n))
			}
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			v.Set(reflect.ValueOf([]byte("page of " + text + ", and \x00" + text)).Convert(t))
			return v
		}
		v.Set(reflect.MakeSlice(t, 2, 2))
		for i := range 2 {
			v.Index(i).Set(full(t.Elem(), n))
		}
	case reflect.Array:
		reflect.Copy(v, reflect.ValueOf([]byte("192.168.1.7")))
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(full(t.Key(), n), full(t.Elem(), n))
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(full(t.Elem(), n))
	case reflect.Interface:
		v.Set(reflect.ValueOf("in an interface: 192.168.1.7"))
	}
	return v
}

// kept lists what of ours is left in a value, printed as deep as it goes.
func kept(v any) (out []string) {
	text := lower(fmt.Sprintf("%+v", deep(reflect.ValueOf(v))))
	for _, p := range planted {
		p = strings.TrimSuffix(strings.Trim(p, "[]"), "]:443")
		if strings.Contains(text, p) {
			out = append(out, p)
		}
	}
	return out
}

// deep follows pointers and turns bytes to texts, so that all of a value can be printed.
func deep(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return deep(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			return string(b)
		}
		var out []any
		for i := range v.Len() {
			out = append(out, deep(v.Index(i)))
		}
		return out
	case reflect.Map:
		var out []any
		for i := v.MapRange(); i.Next(); {
			out = append(out, deep(i.Key()), deep(i.Value()))
		}
		return out
	case reflect.Struct:
		switch v.Type() {
		case addrType, addrPortType, timeType:
			return fmt.Sprint(v.Interface())
		}
		var out []any
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out = append(out, deep(v.Field(i)))
			}
		}
		return out
	}
	return v.Interface()
}

// Every field of a round is looked at, whatever it is called.
func TestRoundLooksEverywhere(t *testing.T) {
	t.Parallel()
	n := 0
	r := full(reflect.TypeFor[measurements.Round](), &n).Interface().(measurements.Round)
	if len(kept(r)) != len(planted) {
		t.Fatalf("planted are only %v", kept(r))
	}
	before, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := scrubber().Round(r, nil)
	if left := kept(got); len(left) > 0 {
		text := fmt.Sprintf("%+v", deep(reflect.ValueOf(got)))
		at := strings.Index(lower(text), left[0])
		t.Errorf("left are %v, as in …%s", left, text[max(0, at-100):min(len(text), at+100)])
	}
	if after, err := json.Marshal(r); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the round that was given is another now: %v", err)
	}
}

// A field that somebody adds next year is looked at as well, of whatever type.
func TestWalkLooksEverywhere(t *testing.T) {
	t.Parallel()
	type word string
	type next struct {
		Text     string
		Word     word
		Bytes    []byte
		Array    [12]byte
		Address  netip.Addr
		Endpoint netip.AddrPort
		List     []struct{ Text *string }
		Map      map[string]map[word][]byte
		Any      any
		Nested   struct{ Deeper *struct{ Words []word } }
	}
	n := 0
	v := full(reflect.TypeFor[next](), &n)
	p := scrubber().begin(&measurements.Round{}, nil)
	got, changed := p.walk(v)
	if left := kept(got.Interface()); len(left) > 0 || !changed {
		t.Errorf("left are %v in\n%+v", left, deep(got))
	}
}

// The walk reaches no field that is not exported: there must be none in a record.
func TestRecordHidesNothing(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{addrType: true, timeType: true}
	var look func(reflect.Type, string)
	look = func(at reflect.Type, path string) {
		if seen[at] {
			return
		}
		seen[at] = true
		switch at.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			look(at.Elem(), path)
		case reflect.Map:
			look(at.Key(), path)
			look(at.Elem(), path)
		case reflect.Struct:
			for i := range at.NumField() {
				f := at.Field(i)
				if !f.IsExported() {
					t.Errorf("%s.%s", path, f.Name)
				}
				look(f.Type, path+"."+f.Name)
			}
		}
	}
	look(reflect.TypeFor[measurements.Round](), "Round")
}
