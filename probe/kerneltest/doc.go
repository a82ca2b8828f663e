// Package kerneltest builds small networks out of Linux namespaces, for tests that hold our
// emulated internet against the real one: the kernel's.
//
// A Lab is a client, a router and a server, joined by veth pairs, with documentation addresses
// (RFC 5737, RFC 3849) and no way out:
//
//	client 192.0.2.2 ── 192.0.2.1 router 203.0.113.1 ── 203.0.113.2 server, who owns 198.51.100.1 …
//	  2001:db8:1::2       2001:db8:1::1    2001:db8:3::1    2001:db8:3::2            2001:db8:2::1 …
//
// The router is where a censor sits: Lab.IPTables adds rules to it.
//
// The links take no time. An ICMP error that answers a SYN comes back while connect still holds the
// socket, and the kernel then only remembers it: it shows at the second SYN, a second later, or not
// at all before an earlier deadline. Resets, and ICMP in answer to UDP, show at once.
//
// It takes root, Linux and minutes, so New skips the test unless the environment holds
// TELLTALE_KERNEL_TESTS=require, as in .ci/kernel; a lab that can't be built is then a failure. Tests are
// named TestKernel…, so that CI can run them apart.
//
// Only tests import this package.
package kerneltest
