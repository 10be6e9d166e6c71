#pragma once
// Which host a request is for, as text: the value of a Host field, or the authority of a request target
// (RFC9112§3.2, RFC3986§3.2). Only the grammar; whether we serve that host is not asked here.
//
//   example.com    a.example:8080    192.0.2.1:80    [2001:db8::7]:443    (empty)

#include <string_view>

namespace fanfare::http {

// RFC3986§3.2.2: four numbers up to 255 without leading zeros.
bool is_ipv4_address(std::string_view text);
// RFC4291§2.2: eight groups of hexadecimal digits, one run of zero groups left out as "::", the last two
// groups in the IPv4 form if so wished. Without brackets and without a zone.
bool is_ipv6_address(std::string_view text);

// RFC9110§7.2: uri-host [ ":" port ]. A host is a registered name (which may be empty), an IPv4 address, or
// an IP address in brackets; a port is digits, perhaps none. No user, no path, no list, no white space.
bool is_host_and_port(std::string_view text);

// The authority of an absolute-form target ("http://host:port/path"); empty where there is none, as in
// "/path".
std::string_view authority_of(std::string_view target);

}  // namespace fanfare::http
