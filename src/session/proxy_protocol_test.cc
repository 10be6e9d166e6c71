#include "session/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::session {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string kIp4Header =
    kSignature + "\x21\x11\x00\x0c"s + "\xc0\x00\x02\x07"s + "\xc6\x33\x64\x01"s + "\xc4\x88\x01\xbb"s;

std::string source_of(std::string_view bytes) {
  const auto header = parse_proxy_header(as_bytes(bytes));
  if (!header) return "error: " + std::string(header.error());
  if (!*header) return "more";
  return ((*header)->source ? (*header)->source->text() : "none") + " " + std::to_string((*header)->size);
}

TEST(ProxyProtocol, Version1NamesTheSource) {
  EXPECT_EQ(source_of("PROXY TCP4 192.0.2.7 198.51.100.1 50312 443\r\nGET /"), "192.0.2.7:50312 45");
  EXPECT_EQ(source_of("PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n"), "[2001:db8::7]:1 44");
}

TEST(ProxyProtocol, Version1UnknownIsSkippedWhateverFollows) {
  EXPECT_EQ(source_of("PROXY UNKNOWN\r\n"), "none 15");
  EXPECT_EQ(source_of("PROXY UNKNOWN ff:: ff:: 1 2 and more\r\nx"), "none 38");
}

TEST(ProxyProtocol, Version1LineHas107BytesAndNoMore) {
  const std::string start = "PROXY UNKNOWN ";
  EXPECT_EQ(source_of(start + std::string(105 - start.size(), 'x') + "\r\n"), "none 107");
  EXPECT_EQ(source_of(start + std::string(106 - start.size(), 'x') + "\r\n"),
            "error: the line is longer than 107 bytes");
  EXPECT_EQ(source_of(start + std::string(106 - start.size(), 'x')), "more");
  EXPECT_EQ(source_of(start + std::string(107 - start.size(), 'x')),
            "error: the line is longer than 107 bytes");
}

TEST(ProxyProtocol, Version1IsTakenToTheLetter) {
  for (const char* line : {
           "PROXY TCP4 192.0.2.7 198.51.100.1 50312\r\n",        // a port is missing
           "PROXY TCP4 192.0.2.7 198.51.100.1 50312 443 1\r\n",  // a word too many
           "PROXY TCP4 192.0.2.7  198.51.100.1 50312 443\r\n",   // two spaces
           "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",    // invalid port
           "PROXY TCP4 192.0.2.7 198.51.100.1 0443 443\r\n",     // a leading zero
           "PROXY TCP4 192.0.2.7 198.51.100.1 +443 443\r\n",     // a sign
           "PROXY TCP4 192.0.2.256 198.51.100.1 1 443\r\n",      // invalid address
           "PROXY TCP4 localhost 198.51.100.1 1 443\r\n",        // a name
           "PROXY TCP6 [::1] ::1 1 443\r\n",                     // brackets
           "PROXY TCP4 2001:db8::7 2001:db8::1 1 443\r\n",       // the other family
           "PROXY TCP6 ::1 192.0.2.7 1 443\r\n",                 // the other family
           "PROXY TCP5 192.0.2.7 198.51.100.1 1 443\r\n",        // invalid protocol
           "PROXY  TCP4 192.0.2.7 198.51.100.1 1 443\r\n",       // two spaces
           "PROXY TCP4 192.0.2.7 198.51.100.1 1 443\n\r\n",      // a lone line feed
       }) {
    EXPECT_EQ(source_of(line).substr(0, 6), "error:") << line;
  }
}

TEST(ProxyProtocol, Version2NamesTheSource) {
  EXPECT_EQ(source_of(kIp4Header + "GET /"), "192.0.2.7:50312 28");
  const std::string address = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x07";
  EXPECT_EQ(source_of(kSignature + "\x21\x21\x00\x24"s + address + address + "\x00\x01\xff\xff"s),
            "[2001:db8::7]:1 52");
}

TEST(ProxyProtocol, Version2UnixSourceIsItsPath) {
  const std::string path = "/run/client.sock";
  const std::string field = path + std::string(108 - path.size(), '\0');
  EXPECT_EQ(source_of(kSignature + "\x21\x31\x00\xd8"s + field + field), "unix:/run/client.sock 232");
  EXPECT_EQ(source_of(kSignature + "\x21\x31\x00\xd8"s + std::string(216, '\0')), "none 232");
}

TEST(ProxyProtocol, Version2LocalAndUnspecKeepTheSocketsAddress) {
  EXPECT_EQ(source_of(kSignature + "\x20\x00\x00\x00"s), "none 16");
  EXPECT_EQ(source_of(kSignature + "\x20\x11\x00\x0c"s + std::string(12, 'x')), "none 28");
  EXPECT_EQ(source_of(kSignature + "\x20\xff\x00\x02"s + "xx"), "none 18");
  EXPECT_EQ(source_of(kSignature + "\x21\x00\x00\x03"s + "xyz"), "none 19");
}

TEST(ProxyProtocol, Version2TlvsAreSkipped) {
  std::string header = kIp4Header;
  header[15] = 12 + 7;
  EXPECT_EQ(source_of(header + "\x02\x00\x04host"s), "192.0.2.7:50312 35");
}

TEST(ProxyProtocol, Version2HeaderHas4096BytesAndNoMore) {
  std::string header = kIp4Header.substr(0, 14) + "\x0f\xf0"s + kIp4Header.substr(16);
  EXPECT_EQ(source_of(header), "more");
  header.resize(4096);
  EXPECT_EQ(source_of(header), "192.0.2.7:50312 4096");
  header[15] = '\xf1';
  EXPECT_EQ(source_of(header), "error: the header is too long");
  EXPECT_EQ(source_of(header.substr(0, 16)), "error: the header is too long");
}

TEST(ProxyProtocol, Version2IsTakenToTheLetter) {
  for (const std::string& end : {
           "\x11"s,              // version 1
           "\x31"s,              // version 3
           "\x22"s,              // invalid command
           "\x21\x13\x00\x0c"s,  // invalid transport
           "\x21\x41\x00\x0c"s,  // invalid family
           "\x21\x11\x00\x0b"s,  // shorter than two addresses
           "\x21\x21\x00\x23"s,
           "\x21\x31\x00\xd7"s,
       }) {
    EXPECT_EQ(source_of(kSignature + end).substr(0, 6), "error:");
  }
}

TEST(ProxyProtocol, WhatIsNoHeaderIsSeenAtItsFirstWrongByte) {
  EXPECT_EQ(source_of("G"), "error: no PROXY header");
  EXPECT_EQ(source_of("PROXZ"), "error: no PROXY header");
  EXPECT_EQ(source_of("\r\n\r\n\r"), "error: no PROXY header");
  EXPECT_EQ(source_of("\x16\x03\x01"), "error: no PROXY header");
}

TEST(ProxyProtocol, EveryPrefixAsksForMore) {
  for (const std::string& whole : {"PROXY TCP4 192.0.2.7 198.51.100.1 50312 443\r\n"s, kIp4Header}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(source_of(whole.substr(0, size)), "more") << size;
    }
  }
}

}  // namespace
}  // namespace fanfare::session
