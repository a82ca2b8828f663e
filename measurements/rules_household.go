package measurements

// householdRules: troubles of the household's own that leave a line which works in part. They explain the
// failures that they make, and no others.
var householdRules = []Rule{
	{
		ID:         "line-clock",
		Since:      "2026-11-23.2",
		Says:       "The certificate is the name's own and is refused for its date alone, and it holds at the time that neutral hosts tell: this machine's clock is wrong.",
		Source:     "RFC 5280, section 6.1.3; DESIGN section 4, local.clock",
		Signatures: []Signature{LocalClock},
		Needs:      "the Date of answers of two operators' neutral hosts that agree, an hour or more from this machine's clock, and a chain that holds for the name at that time",
		Refuses:    "anything about a certificate that is refused for another reason, or has expired by the neutral hosts' time as well",
		Judge: func(c *Case) *Finding {
			if !c.Failed() || !c.view.line.explains(c.T) {
				return nil
			}
			return &Finding{State: Local, Signature: LocalClock, Reasons: []string{"the certificate holds at the time that neutral hosts tell; this machine's clock is wrong"}}
		},
	},
}
