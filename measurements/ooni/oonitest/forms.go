package oonitest

import "strings"

// forms are the objects of the format, "key:type" for each key; "key?" may be left out. A type is a form, a
// kind of kinds.go, or "[]" and one of these; several are separated by "|".
var forms = map[string]string{
	"record": `annotations:strings data_format_version:version software_name:string software_version:string
		test_name:name test_version:string extensions:extensions input:null|string options:[]string
		measurement_start_time:time test_start_time:time test_runtime:number
		probe_asn:asn probe_cc:cc probe_network_name:string probe_ip:probe_ip probe_city?:string probe_id?:string
		resolver_asn:asn resolver_ip:ip resolver_network_name:string
		report_id?:string measurement_uid?:string id?:string input_hashes?:[]string test_helpers?:object
		bucket_date?:string report_filename?:string backend_version?:string
		test_keys:test_keys`,
	"test_keys": `queries:[]query tcp_connect:[]connect tls_handshakes:[]handshake requests:[]exchange network_events:[]event
		agent?:string socksproxy?:null|string failure?:failure tunnel?:string bootstrap_time?:number`,
	"query": `answers:[]answer engine:engine failure:failure getaddrinfo_error?:int hostname:string query_type:query_type
		raw_response?:base64 rcode?:int resolver_hostname:null resolver_port:null resolver_address:string` + span,
	"answer": `asn?:int as_org_name?:string answer_type:answer_type hostname?:string ipv4?:ipv4 ipv6?:ipv6 ttl:null|uint`,

	"connect": `ip:ip port:port status:status` + span,
	"status":  `blocked?:bool failure:failure success:bool`,

	"handshake": `network:network address:address cipher_suite:string failure:failure so_error?:failure
		negotiated_protocol:string no_tls_verify:bool peer_certificates:[]certificate server_name:string
		outer_server_name?:string echconfig?:string tls_version:tls_version` + span,
	"certificate": `data:base64 format:base64_word`,

	"exchange": `network:network address:address alpn:alpn failure:failure request:request response:response` + span,
	"request": `url:url method:string headers:texts headers_list:[]header body:text body_is_truncated:bool tor:tor
		x_transport:network`,
	"tor":      `exit_ip:null|ip exit_name:null|string is_tor:bool`,
	"response": `code:int headers:texts headers_list:[]header body:text body_is_truncated:bool`,

	"event": `operation:operation failure:failure address?:address num_bytes?:uint proto?:network` + span,
}

// span is in every entry of test_keys. The format lets some of it be left out here and there; we never do.
const span = ` t0:number t:number tags:[]string transaction_id:int`

// Unfilled are keys of the format that no record of ours has, and why.
var Unfilled = map[string]string{
	"record.probe_city":           "deprecated",
	"record.probe_id":             "a pseudonym of OONI's own",
	"record.measurement_uid":      "the collector's",
	"record.id":                   "the collector's",
	"record.input_hashes":         "legacy",
	"record.bucket_date":          "the pipeline's",
	"record.report_filename":      "the pipeline's",
	"record.backend_version":      "the collector's",
	"test_keys.agent":             "of experiments that follow redirects; ours never do",
	"test_keys.socksproxy":        "no measurement goes through a proxy",
	"test_keys.failure":           "a round has no failure of its own",
	"test_keys.tunnel":            "no measurement goes through a tunnel of ours",
	"test_keys.bootstrap_time":    "the same",
	"query.getaddrinfo_error":     "resolvers are asked directly",
	"answer.asn":                  "no database is consulted",
	"answer.as_org_name":          "the same",
	"status.blocked":              "Web Connectivity's verdict; ours is no part of the evidence",
	"handshake.so_error":          "tlsmiddlebox's",
	"handshake.outer_server_name": "no hello of ours has ECH",
	"handshake.echconfig":         "the same",
}

// words of the kinds that have a closed list.
var words = map[string][]string{
	"version":     {"0.2.0"},
	"probe_ip":    {"127.0.0.1"},
	"base64_word": {"base64"},
	"engine":      {"getaddrinfo", "golang_net_resolver", "udp", "tcp", "dot", "doh", "unknown", "system", "go"},
	"query_type":  {"A", "AAAA", "CNAME", "ANY", "HTTPS", "NS", "PTR", "TXT"},
	"answer_type": {"A", "AAAA", "CNAME", "NS", "PTR"},
	"network":     {"tcp", "udp"}, // never "quic", since probe-cli 3.16
	"alpn":        {"", "http/1.1", "h2", "h3"},
	"tls_version": {"", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"},
	"operation": {
		"connect", "read", "write", "read_from", "write_to", "bytes_received_cumulative", "resolve_start", "resolve_done", "tls_handshake_start",
		"tls_handshake_done", "quic_handshake_start", "quic_handshake_done", "http_transaction_start", "http_transaction_done",
	},
}

// extensions are all at version 0.
var extensions = []string{"dnst", "httpt", "netevents", "tcpconnect", "tlshandshake", "tunnel"}

// failures are the words of df-007, and those that probe-cli's netxlite/errno.go adds.
var failures = strings.Fields(`android_dns_cache_no_data connection_aborted connection_already_closed connection_refused
	connection_reset dns_bogon_error dns_no_answer dns_non_recoverable_failure dns_nxdomain_error
	dns_reply_with_wrong_query_id dns_refused_error dns_server_misbehaving dns_servfail_error dns_temporary_failure
	eof_error http_invalid_redirect_location_host http_request_failed host_unreachable generic_timeout_error
	http_unexpected_redirect_url http_unexpected_status_code interrupted json_parse_error network_down network_reset
	network_unreachable quic_incompatible_version ssl_failed_handshake ssl_invalid_hostname ssl_unknown_authority
	ssl_invalid_certificate

	address_family_not_supported address_in_use address_not_available already_connected bad_address bad_file_descriptor
	connection_already_in_progress destination_address_required invalid_argument message_size no_buffer_space
	no_protocol_option not_a_socket not_connected operation_would_block permission_denied protocol_not_supported timed_out
	wrong_protocol_type`)
