package privacy

import (
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/telltale-probe/telltale/measurements"
)

var (
	addrType     = reflect.TypeFor[netip.Addr]()
	addrPortType = reflect.TypeFor[netip.AddrPort]()
	timeType     = reflect.TypeFor[time.Time]()

	// closed are the types of strings that are words of closed lists of ours. No other type is left out, so that
	// a field of a type that is yet to come is looked at.
	closed = map[reflect.Type]bool{
		reflect.TypeFor[measurements.Operation](): true, reflect.TypeFor[measurements.Layer](): true,
		reflect.TypeFor[measurements.Family](): true, reflect.TypeFor[measurements.Control](): true,
		reflect.TypeFor[measurements.Origin](): true, reflect.TypeFor[measurements.Shape](): true,
		reflect.TypeFor[measurements.State](): true, reflect.TypeFor[measurements.Signature](): true,
	}
)

// walk gives a value without what is ours, and whether that is another value. What it is given stays as it was:
// parts of a record may be shared with rounds to come.
func (p *pass) walk(v reflect.Value) (reflect.Value, bool) {
	switch v.Type() {
	case addrType:
		a := v.Interface().(netip.Addr)
		b := p.address(a)
		return reflect.ValueOf(b), a != b
	case addrPortType:
		a := v.Interface().(netip.AddrPort)
		b := netip.AddrPortFrom(p.address(a.Addr()), a.Port())
		return reflect.ValueOf(b), a != b
	case timeType:
		return v, false
	}
	switch v.Kind() {
	case reflect.String:
		if closed[v.Type()] || isWordOfOurs(v) {
			return v, false
		}
		s := p.word(v.String())
		return reflect.ValueOf(s).Convert(v.Type()), s != v.String()
	case reflect.Struct:
		return p.walkStruct(v)
	case reflect.Slice, reflect.Array:
		return p.walkList(v)
	case reflect.Map:
		return p.walkMap(v)
	case reflect.Pointer, reflect.Interface:
		return p.walkBehind(v)
	}
	return v, false
}

// isWordOfOurs says whether a failure is a word alone: an unknown one has a text, and a close a number of the peer's.
func isWordOfOurs(v reflect.Value) bool {
	f, ok := v.Interface().(measurements.Failure)
	return ok && !f.IsQUICClose() && !strings.ContainsFunc(string(f), func(r rune) bool { return r != '_' && (r > 'z' || !isWord(byte(r))) })
}

func (p *pass) walkStruct(v reflect.Value) (reflect.Value, bool) {
	out, changed := v, false
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue // no record of ours has any; a test says so
		}
		f, other := p.walk(v.Field(i))
		if !other {
			continue
		}
		if !changed {
			out, changed = reflect.New(v.Type()).Elem(), true
			out.Set(v)
		}
		out.Field(i).Set(f)
	}
	return out, changed
}

func (p *pass) walkList(v reflect.Value) (reflect.Value, bool) {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return v, false
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return p.walkBytes(v)
	}
	out, changed := v, false
	for i := range v.Len() {
		e, other := p.walk(v.Index(i))
		if !other {
			continue
		}
		if !changed {
			out, changed = copyOf(v), true
		}
		out.Index(i).Set(e)
	}
	return out, changed
}

// walkBytes looks at bytes. An array keeps its length.
func (p *pass) walkBytes(v reflect.Value) (reflect.Value, bool) {
	if v.Kind() == reflect.Slice && v.Len() > 0 && p.whole[(*byte)(v.UnsafePointer())] {
		return v, false
	}
	b := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(b), v)
	scrubbed := p.blob(b, p.binary)
	if string(scrubbed) == string(b) {
		return v, false
	}
	if v.Kind() == reflect.Slice {
		return reflect.ValueOf(scrubbed).Convert(v.Type()), true
	}
	out := reflect.New(v.Type()).Elem()
	reflect.Copy(out, reflect.ValueOf(scrubbed))
	return out, true
}

func copyOf(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	if v.Kind() == reflect.Slice {
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
	}
	reflect.Copy(out, v)
	return out
}

func (p *pass) walkMap(v reflect.Value) (reflect.Value, bool) {
	if v.IsNil() {
		return v, false
	}
	out, changed := reflect.MakeMapWithSize(v.Type(), v.Len()), false
	for i := v.MapRange(); i.Next(); {
		key, a := p.walk(i.Key())
		value, b := p.walk(i.Value())
		out.SetMapIndex(key, value)
		changed = changed || a || b
	}
	if !changed {
		return v, false
	}
	return out, true
}

func (p *pass) walkBehind(v reflect.Value) (reflect.Value, bool) {
	if v.IsNil() {
		return v, false
	}
	e, other := p.walk(v.Elem())
	if !other {
		return v, false
	}
	if v.Kind() == reflect.Interface {
		return e, true
	}
	out := reflect.New(v.Type().Elem())
	out.Elem().Set(e)
	return out, true
}
