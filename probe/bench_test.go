package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/telltale-probe/telltale/measurements"
)

// benchServerEnv makes this binary the servers of the benchmarks: in a process of their own, their
// work is not counted as ours.
const benchServerEnv = "TELLTALE_BENCH_SERVER"

// serveBench says where it serves, and by which root, and serves until its input ends.
func serveBench() {
	config := serverConfig(good, "h3", "h2", "http/1.1")
	l := must(tls.Listen("tcp4", "127.0.0.1:0", config))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(io.Discard, c) // shakes hands first
			}()
		}
	}()
	socket := must(net.ListenPacket("udp4", "127.0.0.1:0"))
	go (&http3.Server{Handler: http.HandlerFunc(page), TLSConfig: http3.ConfigureTLSConfig(config)}).Serve(socket)
	fmt.Println(l.Addr(), socket.LocalAddr(), hex.EncodeToString(trusted.cert.Raw))
	io.Copy(io.Discard, os.Stdin)
}

// benchServer starts the servers.
func benchServer(b *testing.B) (tcp, udp netip.AddrPort, h Host) {
	b.Helper()
	cmd := exec.Command(must(os.Executable()))
	cmd.Env = append(os.Environ(), benchServerEnv+"=1")
	in, out := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	words := strings.Fields(must(bufio.NewReader(out).ReadString('\n')))
	root := must(x509.ParseCertificate(must(hex.DecodeString(words[2]))))
	h.Roots = x509.NewCertPool()
	h.Roots.AddCert(root)
	return netip.MustParseAddrPort(words[0]), netip.MustParseAddrPort(words[1]), h
}

// loop runs op and reports what it cost this process in CPU time.
func loop(b *testing.B, op func(context.Context) error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		if err := op(ctx); err != nil {
			b.Fatal(err)
		}
	}
	if spent := cpuTime() - before; spent > 0 {
		b.ReportMetric(spent.Seconds()*1e3/float64(b.N), "cpu-ms/op")
	}
}

func failed(o measurements.Observation) error {
	if o.OK() {
		return nil
	}
	return fmt.Errorf("%s: %s (%s)", o.Operation, o.Failure, o.Error)
}

// A connection and a handshake, as we make them, and as a bare loop does.

func BenchmarkTLSStep(b *testing.B) {
	ep, _, h := benchServer(b)
	loop(b, func(ctx context.Context) error {
		conn, o := h.Connect(ctx, ep)
		if err := failed(o); err != nil {
			return err
		}
		secure, o := h.TLS(ctx, conn, TLSInput{Name: site, ALPN: alpn})
		if err := failed(o); err != nil {
			return err
		}
		return secure.Close()
	})
}

func BenchmarkTLSBare(b *testing.B) {
	ep, _, h := benchServer(b)
	loop(b, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp4", ep.String())
		if err != nil {
			return err
		}
		secure := tls.Client(conn, &tls.Config{ServerName: site, RootCAs: h.Roots, NextProtos: alpn, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		return secure.Close()
	})
}

// A QUIC handshake and an exchange over it.

func BenchmarkQUICStep(b *testing.B) {
	_, ep, h := benchServer(b)
	loop(b, func(ctx context.Context) error {
		conn, o := h.QUIC(ctx, ep, TLSInput{Name: site})
		if err := failed(o); err != nil {
			return err
		}
		return failed(HTTP3(ctx, conn, HTTPInput{Host: site, Verified: true, MaxBody: 1 << 10}))
	})
}

func BenchmarkQUICBare(b *testing.B) {
	_, ep, h := benchServer(b)
	config := &tls.Config{ServerName: site, RootCAs: h.Roots, NextProtos: []string{"h3"}}
	loop(b, func(ctx context.Context) error {
		conn, err := quic.DialAddr(ctx, ep.String(), config, &quic.Config{})
		if err != nil {
			return err
		}
		defer conn.CloseWithError(noError, "")
		req := must(http.NewRequestWithContext(ctx, http.MethodGet, "https://"+site+"/", nil))
		resp, err := (&http3.Transport{}).NewClientConn(conn).RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	})
}
