package measurements

import "time"

// Repetition says what it is worth that a finding comes again.
//
// Repetition tells interference from chance, and only that. A benign cause that stays is repeated as
// faithfully as a block. So a signature is raised by repetition as far as its benign causes come and
// go, and its failures are counted no more often than these causes would be counted twice.
type Repetition struct {
	// Apart is the decorrelation time: failures closer together count once.
	Apart time.Duration
	// Run is the same for failures of an unbroken run, without a success in between.
	Run time.Duration
	// Most is the highest confidence that repetition gives; "" is confirmed.
	Most Confidence
	// Witness: more than likely takes as many failures that the reference vantage did not meet.
	Witness bool
}

// repetitions are the signatures that repetition may raise, each for a trial in which the control
// passed and the target failed. All others stay as the rules say: what fails whatever the name
// (tcp.*, ip.*, *.other, quic.timeout.endpoint …) is an outage or a ban as easily as a block, and an
// outage repeats (DESIGN section 4, rule 6); a large hello that dies may be the path's; and an exchange
// that dies after a good handshake is what an edge shows whose backend is down, for as long as it is
// down: silence, an end and a reset alike (http.timeout, http.eof, http.reset).
var repetitions = map[Signature]Repetition{
	// A reset for one name, while another is answered at the same place just before, comes from somebody
	// who read the name. An edge that ends TLS itself shakes hands whatever its backends do. Bursts of
	// loss and overload last minutes; 20 of them are also two visits that keep the residual time.
	TLSResetSNI:   {Apart: decorrelation, Run: decorrelation},
	HTTPResetHost: {Apart: decorrelation, Run: decorrelation},

	// These are words that a server can say by mistake, for one of its names, until somebody mends it:
	// a default host's own. Six hours is longer than
	// a mistake with a large app's name goes unseen; chosen by us. On two machines of a pool it comes
	// and goes, so a success in between makes no difference.
	TLSNotTLSSig:   {Apart: server, Run: server},
	TLSResetCert:   {Apart: server, Run: server},
	HTTPRedirect:   {Apart: server, Run: server},
	QUICRefused:    {Apart: server, Run: server},
	QUICCloseSig:   {Apart: server, Run: server},
	QUICVersionSig: {Apart: server, Run: server},

	// An alert, and another chain, for one name are what a certificate that is missing looks like, for as long as it
	// is: one event, however often we look.
	TLSAlertSNI:  {Apart: server, Run: server, Most: Likely},
	TLSMITM:      {Apart: server, Run: server, Most: Likely},
	QUICAlertSNI: {Apart: server, Run: server, Most: Likely},

	// A false denial and a stale address live in the resolver's cache: three hours is what is advised
	// as the longest time for negative answers (RFC 2308, section 5). One of several caches comes and goes.
	DNSNXDomainSig:  {Apart: cache, Run: cache},
	DNSRefusedSig:   {Apart: cache, Run: cache},
	DNSNoAnswerSig:  {Apart: cache, Run: cache},
	DNSInjectBogon:  {Apart: cache, Run: cache},
	DNSInjectOther:  {Apart: cache, Run: cache},
	DNSServfailSig:  {Apart: cache, Run: outage},
	HTTPTimeoutHost: {Apart: decorrelation, Run: outage},
	HTTPEOFHost:     {Apart: decorrelation, Run: outage},

	// Silence, and a FIN, are what an outage of one name looks like behind an edge that passes TLS on by
	// name: while it lasts, it is one failure a day, however often we look. Few outages last days. A
	// block that lets some through is seen much sooner: an outage doesn't come and go by the hour.
	TLSTimeoutSNI:  {Apart: decorrelation, Run: outage},
	TLSTimeoutCert: {Apart: decorrelation, Run: outage},
	TLSEOFSNI:      {Apart: decorrelation, Run: outage},
	QUICTimeoutSNI: {Apart: decorrelation, Run: outage},
	DNSTimeoutSig:  {Apart: decorrelation, Run: outage},

	// What transfers tell, three at a time, a few times a day: that a stream under one name freezes, or crawls, and
	// under another, to the same server and in turns, does not. A server does that to one of its names as a mistake, or
	// to get through an attack, which lasts for hours, or by its owner's wish, for good: then it does so to everybody.
	TLSCutoffSNI: {Apart: server, Run: outage, Witness: true},
	ThrottleSNI:  {Apart: server, Run: outage, Witness: true},
}

const (
	server = 6 * time.Hour
	cache  = 3 * time.Hour
	outage = 24 * time.Hour
)

// span is the least time from the first to the last failure of what is confirmed by repetition.
func (r Repetition) span() time.Duration { return max(confirmedSpan, r.Run) }
