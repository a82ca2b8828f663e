// Package privacy takes out of a round what tells who and where the volunteer is, before anybody judges, keeps,
// shows, exports or sends it. A leak must not depend on whether somebody thought of a field: Scrubber.Round visits
// every string, every run of bytes and every address of the record, and whatever is no word of ours or of the
// configuration's, and no address that was measured, has to answer for itself.
//
//   - own.go: what is ours (addresses, MACs, names), as far as this machine knows it
//   - spellings.go, words.go: how it may be written, and when a name is too common to be looked for
//   - eye.go and its neighbours: finding it in a text or in bytes; addresses of strangers in what a peer wrote count
//     as ours, since the public one behind a router's NAT is known to peers alone
//   - round.go, walk.go: a whole record; certificate.go, http.go, dns.go: what needs more than looking for words
//   - standin.go: an address that is ours is replaced by one of the same kind, the same one throughout a round, so
//     that judging is unchanged
//   - log.go: the same for lines of a log
//
// Three things are never taken out: what the configuration itself names, since that is what evidence is about;
// what block pages are known by; and loopback addresses, which are everybody's.
package privacy
