package probe

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/telltale-probe/telltale/measurements"
)

// Who sent an ICMP error is told in a word; addresses are compared and not kept.
func TestSenderOfAnICMPError(t *testing.T) {
	at := netip.MustParseAddr
	for _, c := range []struct{ who, server, own, want string }{
		{"192.0.2.1", "192.0.2.1", "192.168.1.7", measurements.ICMPServer},
		{"192.168.1.1", "192.0.2.1", "192.168.1.7", measurements.ICMPHome},
		{"127.0.0.1", "192.0.2.1", "192.168.1.7", measurements.ICMPHome},
		{"10.3.0.1", "192.0.2.1", "192.168.1.7", measurements.ICMPPrivate},
		{"100.64.0.1", "192.0.2.1", "192.168.1.7", measurements.ICMPPath},
		{"203.0.113.9", "192.0.2.1", "192.168.1.7", measurements.ICMPPath},
		{"::ffff:203.0.113.9", "192.0.2.1", "192.168.1.7", measurements.ICMPPath},
		{"fe80::1", "2001:db8:1::1", "2001:db8:9:42::7", measurements.ICMPHome},
		{"2001:db8:9:1::1", "2001:db8:1::1", "2001:db8:9:42::7", measurements.ICMPHome},
		{"2001:db8:8::1", "2001:db8:1::1", "2001:db8:9:42::7", measurements.ICMPPath},
	} {
		err := error(&Unreached{Err: syscall.EHOSTUNREACH, Type: 3, Code: 13, Sender: at(c.who), Local: at(c.own)})
		got := icmpOf(err, at(c.server))
		if got == nil || got.Sender != c.want || got.Code != 13 {
			t.Errorf("%s, on the way from %s to %s: %+v, want %s", c.who, c.own, c.server, got, c.want)
		}
		if !errors.Is(err, syscall.EHOSTUNREACH) || err.Error() != syscall.EHOSTUNREACH.Error() {
			t.Errorf("%v is not the error that it wraps", err)
		}
		if b, _ := json.Marshal(got); strings.Contains(string(b), at(c.who).Unmap().String()) {
			t.Errorf("the sender's address is kept: %s", b)
		}
	}
	if icmpOf(syscall.EHOSTUNREACH, at("192.0.2.1")) != nil || icmpOf(&Unreached{Err: syscall.EHOSTUNREACH}, at("192.0.2.1")) != nil {
		t.Error("nobody told, and somebody said so")
	}
}
