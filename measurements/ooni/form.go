package ooni

import (
	"encoding/json"
	"unicode/utf8"
)

// record is the envelope (df-000). Keys that only OONI's collector fills are left out.
type record struct {
	Annotations          map[string]string `json:"annotations"`
	DataFormatVersion    string            `json:"data_format_version"`
	Extensions           map[string]int    `json:"extensions"`
	Input                *string           `json:"input"` // always null: an app is measured as a whole
	MeasurementStartTime string            `json:"measurement_start_time"`
	Options              []string          `json:"options"`
	ProbeASN             string            `json:"probe_asn"`
	ProbeCC              string            `json:"probe_cc"`
	ProbeIP              string            `json:"probe_ip"`
	ProbeNetworkName     string            `json:"probe_network_name"`
	ReportID             string            `json:"report_id"`
	ResolverASN          string            `json:"resolver_asn"`
	ResolverIP           string            `json:"resolver_ip"`
	ResolverNetworkName  string            `json:"resolver_network_name"`
	SoftwareName         string            `json:"software_name"`
	SoftwareVersion      string            `json:"software_version"`
	TestHelpers          struct{}          `json:"test_helpers"`
	TestKeys             testKeys          `json:"test_keys"`
	TestName             string            `json:"test_name"`
	TestRuntime          float64           `json:"test_runtime"` // seconds
	TestStartTime        string            `json:"test_start_time"`
	TestVersion          string            `json:"test_version"`
}

type testKeys struct {
	Queries       []query        `json:"queries"`
	TCPConnect    []tcpConnect   `json:"tcp_connect"`
	TLSHandshakes []tlsHandshake `json:"tls_handshakes"`
	Requests      []request      `json:"requests"`
	NetworkEvents []networkEvent `json:"network_events"`
	Telltale      ours           `json:"x_telltale"`
}

// span is when something happened, in seconds since the measurement began, and which of our
// observations it was. OONI's tags carry what ties observations to each other.
type span struct {
	T0            float64  `json:"t0"`
	T             float64  `json:"t"`
	Tags          []string `json:"tags"`
	TransactionID int      `json:"transaction_id"`
}

// query is one resolution (df-002).
type query struct {
	Answers          []answer `json:"answers"`
	Engine           string   `json:"engine"`
	Failure          *string  `json:"failure"`
	Hostname         string   `json:"hostname"`
	QueryType        string   `json:"query_type"`
	RawResponse      []byte   `json:"raw_response,omitempty"`
	Rcode            int      `json:"rcode,omitempty"`
	ResolverHostname *string  `json:"resolver_hostname"`
	ResolverPort     *string  `json:"resolver_port"`
	ResolverAddress  string   `json:"resolver_address"` // "" for the system's own: it may be the home's
	span
}

type answer struct {
	AnswerType string  `json:"answer_type"`
	Hostname   string  `json:"hostname,omitempty"`
	IPv4       string  `json:"ipv4,omitempty"`
	IPv6       string  `json:"ipv6,omitempty"`
	TTL        *uint32 `json:"ttl"`
}

// tcpConnect is one connection attempt (df-005).
type tcpConnect struct {
	IP     string        `json:"ip"`
	Port   int           `json:"port"`
	Status connectStatus `json:"status"`
	span
}

type connectStatus struct {
	Failure *string `json:"failure"`
	Success bool    `json:"success"`
}

// tlsHandshake is a handshake over TCP, or inside QUIC with network "udp" (df-006).
type tlsHandshake struct {
	Network            string   `json:"network"`
	Address            string   `json:"address"`
	CipherSuite        string   `json:"cipher_suite"`
	Failure            *string  `json:"failure"`
	NegotiatedProtocol string   `json:"negotiated_protocol"`
	NoTLSVerify        bool     `json:"no_tls_verify"`
	PeerCertificates   []binary `json:"peer_certificates"` // DER, leaf first
	ServerName         string   `json:"server_name"`
	TLSVersion         string   `json:"tls_version"`
	span
}

// request is one HTTP exchange (df-001).
type request struct {
	Network  string       `json:"network"`
	Address  string       `json:"address"`
	ALPN     string       `json:"alpn"`
	Failure  *string      `json:"failure"`
	Request  httpRequest  `json:"request"`
	Response httpResponse `json:"response"`
	span
}

type httpRequest struct {
	Body            string          `json:"body"`
	BodyIsTruncated bool            `json:"body_is_truncated"`
	HeadersList     [][2]text       `json:"headers_list"`
	Headers         map[string]text `json:"headers"`
	Method          string          `json:"method"`
	Tor             tor             `json:"tor"`
	Transport       string          `json:"x_transport"`
	URL             string          `json:"url"`
}

type tor struct {
	ExitIP   *string `json:"exit_ip"`
	ExitName *string `json:"exit_name"`
	IsTor    bool    `json:"is_tor"`
}

type httpResponse struct {
	Body            text            `json:"body"`
	BodyIsTruncated bool            `json:"body_is_truncated"`
	Code            int             `json:"code"`
	HeadersList     [][2]text       `json:"headers_list"`
	Headers         map[string]text `json:"headers"`
}

// networkEvent is one moment on the wire (df-008).
type networkEvent struct {
	Operation string  `json:"operation"`
	Failure   *string `json:"failure"`
	Address   string  `json:"address,omitempty"`
	NumBytes  int64   `json:"num_bytes,omitempty"`
	Proto     string  `json:"proto,omitempty"`
	span
}

// binary is how OONI writes bytes that are no text.
type binary struct {
	Data   []byte `json:"data"`
	Format string `json:"format"` // always "base64"
}

// text came from the network: JSON can't hold it as a string unless it is UTF-8 (df-001,
// "MaybeBinaryData").
type text string

// MarshalJSON writes a string, or a binary where the bytes are no UTF-8.
func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(binary{Data: []byte(t), Format: "base64"})
}
