package app

import "net/http"

// LEGYStatus reads the status of an answer of LINE's gateways (LEGY, at gw.line.naver.jp and the like).
// One that is asked with the header "x-lpv: 1", as the app does, answers with status 200 whatever it
// means, and puts the real status into x-lc: nothing that a cache, a portal or a block page would do.
//
// Spoken says that x-lc is there, once, and is a status of HTTP: exactly three digits, 100 to 599. Code
// is then that one; else the status itself, which anybody could have sent. It does not say whether the
// answer is good: without an account 403 or 404 is what a gateway in reach says. Nor is it an identity;
// that is the certificate's part. Sources: public reimplementations of the app send x-lpv; what x-lc
// means is told by one document of theirs, and nobody promises that it stays. So an answer that is not
// spoken is no proof of the contrary.
func LEGYStatus(header http.Header, status int) (code int, spoken bool) {
	values := header.Values("x-lc")
	if len(values) != 1 || len(values[0]) != 3 {
		return status, false
	}
	for _, digit := range []byte(values[0]) {
		if digit < '0' || digit > '9' {
			return status, false
		}
		code = code*10 + int(digit-'0')
	}
	if code < 100 || code > 599 {
		return status, false
	}
	return code, true
}
