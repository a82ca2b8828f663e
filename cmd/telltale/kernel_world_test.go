package main

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go/http3"

	"github.com/telltale-probe/telltale/probe/kerneltest"
)

// kernelSites are the names of the world, each at addresses of its own: the server's, from firstSite
// on. Those before are the two resolvers'.
var kernelSites = []string{
	"chat.alpha.example.net", "media.alpha.example.net", "chat.beta.example.net", "media.beta.example.net",
	"gate1.example.org", "gate2.example.org", "gate3.example.org",
}

const (
	theResolver = iota
	theTrustedResolver
	firstSite
)

// kernelWorld is a small internet in the kernel, and the program on its client.
type kernelWorld struct {
	*kerneltest.Lab
	t      testing.TB
	binary string
	dir    string // holds the config, the roots and the store
	store  string
	sites  map[string]int // which of the server's addresses is a name's
	place  kernelPlace

	// reference is the key of the vantage that rounds ask; "": none.
	reference string

	mu    sync.Mutex
	asked []string // the names that the resolvers were asked for
}

// kernelPlace is where the program runs, and where it finds the server's addresses.
type kernelPlace struct {
	client string // the namespace
	v4, v6 func(int) netip.Addr
}

// lifetime is how long a site's certificate is still good. That of an expired one ended an hour ago.
func lifetime(name string, expired []string) time.Duration {
	if slices.Contains(expired, name) {
		return -time.Hour
	}
	return time.Hour
}

// newKernelWorld starts the servers. They stop when the test ends. The certificates of some sites may
// have expired.
func newKernelWorld(t *testing.T, binary string, expired ...string) *kernelWorld {
	t.Helper()
	lab := kerneltest.New(t)
	return newKernelWorldAt(t, binary, lab, kernelPlace{kerneltest.Client, lab.ServerAddr, lab.ServerAddr6}, expired...)
}

// newKernelWorldAt starts them at other addresses; without v6 the world has one family.
func newKernelWorldAt(t *testing.T, binary string, lab *kerneltest.Lab, place kernelPlace, expired ...string) *kernelWorld {
	t.Helper()
	w := &kernelWorld{Lab: lab, place: place, t: t, binary: binary, dir: t.TempDir(), sites: map[string]int{}}
	w.store = filepath.Join(w.dir, "store")
	ca := newKernelCA(t, filepath.Join(w.dir, "roots.pem"))
	for i, name := range kernelSites {
		w.sites[name] = firstSite + i
		w.serveBoth(firstSite+i, ca.serve(t, time.Now().Add(lifetime(name, expired)), name))
	}
	w.startResolvers()
	return w
}

func (w *kernelWorld) startResolvers() {
	w.t.Helper()
	for _, i := range []int{theResolver, theTrustedResolver} {
		w.serveDNS(w.place.v4(i))
	}
}

// serveBoth serves a site at one of the server's addresses, over both families.
func (w *kernelWorld) serveBoth(i int, config *tls.Config) {
	w.t.Helper()
	w.serveSite(w.place.v4(i), "4", config)
	if w.place.v6 != nil {
		w.serveSite(w.place.v6(i), "6", config)
	}
}

func (w *kernelWorld) addresses(name string) (v4, v6 netip.Addr) {
	w.t.Helper()
	i, known := w.sites[name]
	if !known {
		w.t.Fatalf("no such site: %s", name)
	}
	if w.place.v6 != nil {
		v6 = w.place.v6(i)
	}
	return w.place.v4(i), v6
}

// serveDNS answers for the sites over UDP and TCP, truly.
func (w *kernelWorld) serveDNS(addr netip.Addr) {
	w.t.Helper()
	at := netip.AddrPortFrom(addr, 53).String()
	for _, s := range []*dns.Server{
		{PacketConn: w.ListenPacket(kerneltest.Server, "udp4", at)},
		{Listener: w.Listen(kerneltest.Server, "tcp4", at)},
	} {
		started := make(chan struct{})
		s.Handler, s.NotifyStartedFunc = dns.HandlerFunc(w.answer), func() { close(started) }
		done := make(chan error, 1)
		go func() { done <- s.ActivateAndServe() }()
		select {
		case <-started:
		case err := <-done:
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = s.Shutdown(); <-done })
	}
}

func (w *kernelWorld) answer(out dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	question := q.Question[0]
	name := strings.ToLower(strings.TrimSuffix(question.Name, "."))
	w.mu.Lock()
	w.asked = append(w.asked, name)
	w.mu.Unlock()
	head := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: question.Qclass, Ttl: 60}
	switch {
	case question.Qclass == dns.ClassCHAOS && name == "version.bind":
		m.Answer = append(m.Answer, &dns.TXT{Hdr: head, Txt: []string{"a made-up resolver"}})
	case w.sites[name] == 0:
		m.Rcode = dns.RcodeNameError
	case question.Qtype == dns.TypeA:
		v4, _ := w.addresses(name)
		m.Answer = append(m.Answer, &dns.A{Hdr: head, A: v4.AsSlice()})
	case question.Qtype == dns.TypeAAAA:
		if _, v6 := w.addresses(name); v6.IsValid() {
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: head, AAAA: v6.AsSlice()})
		}
	}
	_ = out.WriteMsg(m) // whoever asked may be gone
}

// questions gives the names asked for so far.
func (w *kernelWorld) questions() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// serveSite speaks HTTP/1.1, HTTP/2 and HTTP/3 at port 443 of an address.
func (w *kernelWorld) serveSite(addr netip.Addr, family string, config *tls.Config) {
	w.t.Helper()
	at := netip.AddrPortFrom(addr, 443).String()
	page := http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(out, "hello\n") })
	quiet := log.New(io.Discard, "", 0) // a client that goes in the middle of a handshake is no news here
	over := config.Clone()
	over.NextProtos = []string{"h2", "http/1.1"}
	tcp := &http.Server{Handler: page, TLSConfig: over, ErrorLog: quiet}
	listener := w.Listen(kerneltest.Server, "tcp"+family, at)
	udp := &http3.Server{Handler: page, TLSConfig: http3.ConfigureTLSConfig(config.Clone())}
	socket := w.ListenPacket(kerneltest.Server, "udp"+family, at)
	var wg sync.WaitGroup
	wg.Go(func() { _ = tcp.ServeTLS(listener, "", "") })
	wg.Go(func() { _ = udp.Serve(socket) })
	w.t.Cleanup(func() { _, _ = tcp.Close(), udp.Close(); _ = socket.Close(); wg.Wait() })
}

// kernelConfig is what differs between the configs of the tests.
type kernelConfig struct {
	Consent, Timeout         string
	Resolver, Trusted, Roots string
	Catalogue                string
	Push                     string // URL
	Pinned                   bool   // the addresses of all sites are in the config and the catalogue
	Gate                     []kernelGate
}

// kernelGate is a neutral site, with its addresses as TOML has them.
type kernelGate struct{ Host, Addresses string }

// configure writes a config and gives its path.
func (w *kernelWorld) configure(c kernelConfig) string {
	w.t.Helper()
	c.Resolver, c.Trusted = cmp.Or(c.Resolver, w.place.v4(theResolver).String()), w.place.v4(theTrustedResolver).String()
	c.Roots = filepath.ToSlash(filepath.Join(w.dir, "roots.pem"))
	catalogue, err := filepath.Abs(filepath.FromSlash("testdata/kernel"))
	if err != nil {
		w.t.Fatal(err)
	}
	c.Catalogue = filepath.ToSlash(catalogue)
	if c.Pinned {
		c.Catalogue = filepath.ToSlash(w.pin(catalogue))
	}
	for _, name := range kernelSites {
		if strings.HasPrefix(name, "gate") {
			gate := kernelGate{Host: name, Addresses: "[]"}
			if c.Pinned {
				gate.Addresses = w.pins(name)
			}
			c.Gate = append(c.Gate, gate)
		}
	}
	form, err := template.ParseFiles(filepath.FromSlash("testdata/kernel/config.toml.tmpl"))
	if err != nil {
		w.t.Fatal(err)
	}
	var b bytes.Buffer
	if err := form.Execute(&b, c); err != nil {
		w.t.Fatal(err)
	}
	if w.reference != "" {
		b.WriteString(w.asks(w.reference))
	}
	return w.write("telltale.toml", b.String())
}

// pin copies the catalogue with the addresses of its names, and gives the copy's folder.
func (w *kernelWorld) pin(catalogue string) string {
	w.t.Helper()
	for _, app := range []string{"alpha.toml", "beta.toml"} {
		b, err := os.ReadFile(filepath.Join(catalogue, app))
		if err != nil {
			w.t.Fatal(err)
		}
		text := string(b)
		for _, name := range kernelSites {
			host := fmt.Sprintf("host = %q\n", name)
			text = strings.ReplaceAll(text, host, host+"addresses = "+w.pins(name)+"\n")
		}
		w.write(app, text)
	}
	return w.dir
}

// pins gives a site's addresses as a list of TOML.
func (w *kernelWorld) pins(name string) string {
	w.t.Helper()
	v4, v6 := w.addresses(name)
	if !v6.IsValid() {
		return fmt.Sprintf("[%q]", v4)
	}
	return fmt.Sprintf("[%q, %q]", v4, v6)
}

func (w *kernelWorld) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// kernelProcess is the program, running on the client.
type kernelProcess struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
	done     chan struct{} // closed when it has ended
}

// start runs the program on the client, with a config, until it or the test ends.
func (w *kernelWorld) start(config string, args ...string) *kernelProcess {
	w.t.Helper()
	p := &kernelProcess{done: make(chan struct{})}
	p.cmd = exec.Command(w.binary, append([]string{"--config.file=" + config, "--store.path=" + w.store}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	w.Do(w.place.client, func() { // a child begins in the namespace of the thread that makes it
		if err := p.cmd.Start(); err != nil {
			w.t.Fatal(err)
		}
	})
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is read from ProcessState
	}()
	w.t.Cleanup(func() {
		if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			w.t.Error(err)
		}
		<-p.done
	})
	return p
}

// kernelPatience is far more than any of the rounds takes, on a machine that has much else to do.
const kernelPatience = 3 * time.Minute

// code waits for the end and gives the exit code.
func (p *kernelProcess) code(t testing.TB, patience time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
	}
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // the runtime then shows what every goroutine waits for
		<-p.done
		t.Fatalf("the program still runs after %v:\n%s", patience, p.err.String())
		return -1
	}
}

// until waits for something that the program does.
func (p *kernelProcess) until(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(kernelPatience); !happened(); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.done:
			t.Fatalf("the program ended before %s: %v\n%s", what, p.cmd.ProcessState, p.err.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// kernelCA signs what the sites show.
type kernelCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newKernelCA makes an authority and writes its certificate.
func newKernelCA(t testing.TB, path string) *kernelCA {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Made-Up Root"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca := &kernelCA{cert: template}
	var der []byte
	der, ca.key = ca.sign(t, template)
	var err error
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return ca
}

// sign makes a key and a certificate for it; the first one signs itself.
func (ca *kernelCA) sign(t testing.TB, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by := ca.key
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// serve is the TLS configuration of a site, with a certificate that is good until then. It shows the same certificate whatever the name
// asked for.
func (ca *kernelCA) serve(t testing.TB, until time.Time, names ...string) *tls.Config {
	t.Helper()
	der, key := ca.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: key}}}
}
