package measurements

import "strings"

// Signature is the mechanism of a blocking, or the local cause of a failure: a dot path of the
// closed list below. The list is append-only; names follow OONI's mechanism taxonomy where it has
// one (ooni/data, mechanism taxonomy v1) and extend it where it has none (QUIC, local causes).
type Signature string

// The signatures of the contract: DESIGN section 4 says what each means and what proves it. All can be given but
// TLSECH.
const (
	DNSNXDomainSig     Signature = "dns.nxdomain"
	DNSRefusedSig      Signature = "dns.refused"
	DNSServfailSig     Signature = "dns.servfail"
	DNSNoAnswerSig     Signature = "dns.no_answer"
	DNSTimeoutSig      Signature = "dns.timeout"
	DNSInjectBogon     Signature = "dns.injection.bogon"
	DNSInjectBlockpage Signature = "dns.injection.blockpage"
	DNSInjectOther     Signature = "dns.injection.other"
	DNSRedirect        Signature = "dns.redirect"
	DNSEncrypted       Signature = "dns.encrypted"

	IPUnreachable Signature = "ip.unreachable"
	TCPTimeout    Signature = "tcp.timeout"
	TCPRefused    Signature = "tcp.refused"
	TCPReset      Signature = "tcp.reset"
	TCPEOF        Signature = "tcp.eof"

	TLSResetSNI           Signature = "tls.reset.sni"
	TLSTimeoutSNI         Signature = "tls.timeout.sni"
	TLSEOFSNI             Signature = "tls.eof.sni"
	TLSAlertSNI           Signature = "tls.alert.sni"
	TLSResetCert          Signature = "tls.reset.cert"
	TLSTimeoutCert        Signature = "tls.timeout.cert"
	TLSResetOther         Signature = "tls.reset.other"
	TLSTimeoutOther       Signature = "tls.timeout.other"
	TLSEOFOther           Signature = "tls.eof.other"
	TLSAlertOther         Signature = "tls.alert.other"
	TLSTimeoutFingerprint Signature = "tls.timeout.fingerprint"
	TLSResetFingerprint   Signature = "tls.reset.fingerprint"
	TLSMITM               Signature = "tls.mitm"
	TLSNotTLSSig          Signature = "tls.not_tls"
	TLSCutoffSNI          Signature = "tls.cutoff.sni"
	TLSCutoffIP           Signature = "tls.cutoff.ip"
	// TLSECH is given by no rule: none of our hellos offers Encrypted ClientHello, so what is filtered with it alone
	// is not seen.
	TLSECH           Signature = "tls.ech"
	ThrottleSNI      Signature = "throttle.sni"
	ThrottleIP       Signature = "throttle.ip"
	ThrottleProtocol Signature = "throttle.protocol"

	HTTPBlockpage   Signature = "http.blockpage"
	HTTPRedirect    Signature = "http.redirect"
	HTTPResetHost   Signature = "http.reset.host"
	HTTPTimeoutHost Signature = "http.timeout.host"
	HTTPEOFHost     Signature = "http.eof.host"
	HTTPReset       Signature = "http.reset"
	HTTPTimeout     Signature = "http.timeout"
	HTTPEOF         Signature = "http.eof"

	QUICTimeoutSNI      Signature = "quic.timeout.sni"
	QUICTimeoutEndpoint Signature = "quic.timeout.endpoint"
	QUICTimeoutVersion  Signature = "quic.timeout.version"
	QUICTimeoutUDP443   Signature = "quic.timeout.udp443"
	QUICRefused         Signature = "quic.refused"
	QUICCloseSig        Signature = "quic.close"
	QUICVersionSig      Signature = "quic.version"
	QUICAlertSNI        Signature = "quic.alert.sni"

	AppTimeout     Signature = "app.timeout"
	AppReset       Signature = "app.reset"
	AppEOF         Signature = "app.eof"
	AppImposterSig Signature = "app.imposter"
	UDPTimeoutSTUN Signature = "udp.timeout.stun"

	NetShutdown        Signature = "net.shutdown"
	NetIPv6Unreachable Signature = "net.ipv6_unreachable"
	ServiceRefused     Signature = "service.refused"
	ServiceMoved       Signature = "service.moved"

	LocalOffline         Signature = "local.offline"
	LocalCaptivePortal   Signature = "local.captive_portal"
	LocalIPv6Broken      Signature = "local.ipv6_broken"
	LocalTLSInterception Signature = "local.tls_interception"
	LocalClock           Signature = "local.clock"
	LocalMTU             Signature = "local.mtu"
	LocalTunnel          Signature = "local.tunnel"
	LocalDNSFilter       Signature = "local.dns_filter"
	LocalAppFilter       Signature = "local.app_filter"
	LocalNATExhausted    Signature = "local.nat_exhausted"
	LocalQuota           Signature = "local.quota"
	LocalUDP443Blocked   Signature = "local.udp443_blocked"
)

// Local says whether the cause is our own line, box or clock.
func (s Signature) Local() bool { return strings.HasPrefix(string(s), "local.") }
