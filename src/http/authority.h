#pragma once
// The host that a request is for, as text: the value of a Host field, or the authority of a request target
// (RFC9112§3.2, RFC3986§3.2). This checks only the grammar, not whether we serve that host.
//
//   example.com    a.example:8080    192.0.2.1:80    [2001:db8::7]:443    (empty)

#include <string_view>

namespace fanfare::http {

// RFC3986§3.2.2: four numbers up to 255 without leading zeros.
bool is_ipv4_address(std::string_view text);
// RFC4291§2.2: eight groups of hexadecimal digits. One run of zero groups may be shortened to "::", and the
// last two groups may have the IPv4 form. Without brackets and without a zone.
bool is_ipv6_address(std::string_view text);

// RFC9110§7.2: uri-host [ ":" port ]. A host is a registered name (which may be empty), an IPv4 address, or
// an IP address in brackets. A port is zero or more digits. No user, no path, no list, no white space.
bool is_host_and_port(std::string_view text);

// The authority of an absolute-form target ("http://host:port/path"); empty if there is none, as in "/path".
std::string_view authority_of(std::string_view target);

}  // namespace fanfare::http
