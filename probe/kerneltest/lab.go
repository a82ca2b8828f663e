package kerneltest

import (
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// Names of the namespaces, for Run, Do, Dial and Listen.
const (
	Client = "client"
	Router = "router"
	Server = "server"
)

// ServerAddrs is the number of addresses that the server owns in each family.
const ServerAddrs = 32

// Require is the environment variable that asks for kernel tests: they take minutes and root. "require" makes
// a lab that can't be built a failure; without it every kernel test is skipped, for root as well.
const Require = "TELLTALE_KERNEL_TESTS"

// Asked skips the test unless kernel tests were asked for. New does the same: only what is costly before it,
// such as a build, needs this.
func Asked(t testing.TB) {
	t.Helper()
	if os.Getenv(Require) != "require" {
		t.Skip("no kernel test: " + Require + "=require asks for it, takes root and makes network namespaces")
	}
}

// Lab is a network of its own. Any number of labs live side by side.
type Lab struct {
	t      testing.TB
	id     string // random, so that labs of parallel tests and of other processes don't collide
	tables [2]string
}

// New builds a lab that lives until the test ends, however it ends. It skips the test unless the environment
// asks for kernel tests (Require), and then fails it where a lab can't be built: a test that is always skipped
// proves nothing.
func New(t testing.TB) *Lab {
	t.Helper()
	Asked(t)
	l := &Lab{t: t}
	if reason := l.missing(); reason != "" {
		t.Fatalf("kernel tests are required (%s), but: %s", Require, reason)
	}
	l.build()
	return l
}

// missing says what keeps a lab from being built here; "" if nothing does. The last word is the
// kernel's: a container may have root and all tools, and still forbid namespaces.
func (l *Lab) missing() string {
	if runtime.GOOS != "linux" {
		return "network namespaces are Linux's"
	}
	if os.Geteuid() != 0 {
		return "it takes root to make network namespaces"
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return "the command ip (iproute2) is missing"
	}
	for i, names := range [][]string{{"iptables-legacy", "iptables"}, {"ip6tables-legacy", "ip6tables"}} {
		// The legacy tables first: they take a string match without nft's compatibility layer.
		for _, name := range names {
			if _, err := exec.LookPath(name); err == nil && l.tables[i] == "" {
				l.tables[i] = name
			}
		}
		if l.tables[i] == "" {
			return "the command " + names[1] + " is missing"
		}
	}
	random := make([]byte, 5)
	rand.Read(random)
	l.id = hex.EncodeToString(random)
	if out, err := l.addNamespace(Router); err != nil {
		return "namespaces are not allowed here: " + out
	}
	return ""
}

// ServerAddr gives one of the server's IPv4 addresses, 0 ≤ i < ServerAddrs.
func (l *Lab) ServerAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 51, 100, l.host(i)})
}

// ServerAddr6 gives one of the server's IPv6 addresses, 0 ≤ i < ServerAddrs.
func (l *Lab) ServerAddr6(i int) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 2, 15: l.host(i)})
}

// host is the last byte of the server's address i.
func (l *Lab) host(i int) byte {
	l.t.Helper()
	if i < 0 || i >= ServerAddrs {
		l.t.Fatalf("the server has no address %d", i)
	}
	return byte(i + 1)
}

// Run executes a command in a namespace and returns what it printed. A command that fails ends the
// test.
func (l *Lab) Run(ns string, command ...string) string {
	l.t.Helper()
	out, err := ip(append([]string{"netns", "exec", l.namespace(ns)}, command...)...)
	if err != nil {
		l.t.Fatalf("in the %s: %s: %v\n%s", ns, strings.Join(command, " "), err, out)
	}
	return out
}

// RunClient executes a command in the client's namespace.
func (l *Lab) RunClient(command ...string) string {
	l.t.Helper()
	return l.Run(Client, command...)
}

// IPTables adds to the router's IPv4 rules. The chain for what passes through is FORWARD.
func (l *Lab) IPTables(args ...string) {
	l.t.Helper()
	l.Run(Router, append([]string{l.tables[0], "-w"}, args...)...)
}

// IP6Tables adds to the router's IPv6 rules.
func (l *Lab) IP6Tables(args ...string) {
	l.t.Helper()
	l.Run(Router, append([]string{l.tables[1], "-w"}, args...)...)
}

// namespace is the system-wide name of one of ours.
func (l *Lab) namespace(ns string) string { return "telltale-" + l.id + "-" + ns }

// ip runs the command ip. Its output is the error's text, too.
func ip(args ...string) (string, error) {
	out, err := exec.Command("ip", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
