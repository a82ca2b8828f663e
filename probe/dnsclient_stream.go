package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/telltale-probe/telltale/measurements"
	"github.com/telltale-probe/telltale/probe/deadline"
)

// dnsMessage is the media type of DoH (RFC 8484, section 6).
const dnsMessage = "application/dns-message"

// overStream asks once over TCP or, behind a verified handshake, over TLS (RFC 7766; RFC 7858).
func (x *inquiry) overStream(ctx context.Context) error {
	conn, err := x.open(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var stream net.Conn = conn
	if x.way.transport == "dot" {
		if stream, err = x.secure(ctx, conn); err != nil {
			return err
		}
	}
	defer deadline.Obey(ctx, conn)()
	id := queryID()
	packed, err := x.q.pack(id, true)
	if err != nil {
		return err
	}
	// Length and message go in one write, so that they share a segment (RFC 7766, section 8).
	packed = append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	if _, err := stream.Write(packed); err != nil {
		return err
	}
	x.seen.Attempts = 1
	var length [2]byte
	if _, err := io.ReadFull(stream, length[:]); err != nil {
		return err
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(stream, b); err != nil {
		return err
	}
	return x.read(id, b)
}

// read takes the one answer of a stream, where nobody else's can be among them.
func (x *inquiry) read(id uint16, b []byte) error {
	a, err := x.q.read(id, b)
	switch {
	case err == nil || errors.Is(err, errJunk):
		return x.take(a)
	case len(b) >= 2 && binary.BigEndian.Uint16(b) != id:
		return &told{measurements.DNSWrongQueryID, err}
	}
	return &told{measurements.DNSMisbehaving, err}
}

// secure makes the handshake below DoT and DoH. The certificate is verified for the URL's host, by name
// or by address (RFC 8310, section 8.1; RFC 9110, section 4.3.4). On failure conn may still be open.
func (x *inquiry) secure(ctx context.Context, conn *Conn, alpn ...string) (*tls.Conn, error) {
	c := tls.Client(conn, &tls.Config{
		ServerName: x.way.host, NextProtos: alpn, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, // crypto/tls knows one set of roots; verify knows ours
		VerifyConnection:   func(cs tls.ConnectionState) error { return x.h.verify(cs.PeerCertificates, x.way.host) },
	})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, inside(measurements.TLSHandshake, ended(ctx, err))
	}
	return c, nil
}

// overHTTPS asks once over DoH, by POST, over HTTP/2 or 1.1 (RFC 8484, section 4.1).
func (x *inquiry) overHTTPS(ctx context.Context) error {
	conn, err := x.open(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	secure, err := x.secure(ctx, conn, "h2", "http/1.1")
	if err != nil {
		return err
	}
	body, err := x.post(ctx, secure)
	if err != nil {
		// net/http has sentences of its own for a connection that died.
		if first := conn.Traffic().Err; first != nil && classify(measurements.HTTPExchange, err) == measurements.HTTPRequestFailed {
			return first
		}
		return err
	}
	return x.read(0, body)
}

// post makes the exchange on one connection and gives the answer's body.
func (x *inquiry) post(ctx context.Context, conn net.Conn) ([]byte, error) {
	packed, err := x.q.pack(0, true) // id 0 lets caches work (RFC 8484, section 4.1)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.way.url, bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", dnsMessage)
	req.Header.Set("Accept", dnsMessage)
	req.Header.Set("User-Agent", "") // left out: nothing here is a browser's (RFC 8484, section 8.2)
	var spent atomic.Bool
	t := &http.Transport{ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: mostHeader}
	t.DialTLSContext = func(context.Context, string, string) (net.Conn, error) {
		if spent.Swap(true) {
			return nil, errSpent
		}
		return conn, nil
	}
	port := strconv.Itoa(int(x.way.endpoint.Port()))
	client, err := t.NewClientConn(ctx, "https", net.JoinHostPort(x.way.host, port))
	if err != nil {
		return nil, inside(measurements.HTTPExchange, err)
	}
	defer client.Close()
	x.seen.Attempts = 1
	resp, err := client.RoundTrip(req)
	if err != nil {
		return nil, inside(measurements.HTTPExchange, err)
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); resp.StatusCode != http.StatusOK || kind != dnsMessage {
		return nil, &told{measurements.DNSMisbehaving, errors.New("dns: HTTP status " + strconv.Itoa(resp.StatusCode) + " without a DNS message")}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, dns.MaxMsgSize))
	if err != nil {
		return nil, inside(measurements.HTTPExchange, err)
	}
	return body, nil
}
