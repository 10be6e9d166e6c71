#include "http/response_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace fanfare::http {
namespace {

// The steps as text: "200 [Content-Type=x;] {body} done" and what was left, or "error 502: reason".
std::string fed(std::string_view text, std::size_t piece, ResponseReaderLimits limits, bool ends) {
  ResponseReader reader(limits);
  reader.begin();
  std::string seen;
  std::string body;
  while (!text.empty()) {
    const std::string part(text.substr(0, piece));
    text.remove_prefix(part.size());
    Bytes input = as_bytes(part);
    Bytes data;
    for (bool more = true; more;) {
      const auto step = reader.next(input, data);
      if (!step)
        return seen + "error " + std::to_string(step.error().status) + ": " +
               std::string(step.error().reason);
      switch (*step) {
        case ResponseReader::Step::more:
          EXPECT_TRUE(input.empty());
          more = false;
          break;
        case ResponseReader::Step::head:
          seen += std::to_string(reader.status()) + " [";
          for (const HeaderField& field : reader.headers())
            seen.append(field.name).append("=").append(field.value) += ';';
          seen += "] ";
          break;
        case ResponseReader::Step::body:
          body += as_text(data);
          break;
        case ResponseReader::Step::done:
          return seen + "{" + body + "}" + (reader.keeps_alive() ? " kept" : " closed") + " |" +
                 std::string(as_text(input)) + std::string(text);
      }
    }
  }
  if (ends && reader.end()) return seen + "{" + body + "} ended";
  return seen + "{" + body + "...";
}

std::string read_all(std::string_view text, ResponseReaderLimits limits = {}, bool ends = false) {
  const std::string whole = fed(text, text.size(), limits, ends);
  for (const std::size_t piece : {1U, 2U, 7U}) EXPECT_EQ(whole, fed(text, piece, limits, ends)) << text;
  return whole;
}

TEST(ResponseReader, ACountedBody_RFC9112_6_3) {
  EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP"),
            "200 [Content-Length=2;] {{}} kept |HTTP");
  EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "200 [Content-Length=0;] {} kept |");
  EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"), "200 [Content-Length=3;] {{}...");
}

TEST(ResponseReader, ABodyInChunks_RFC9112_7_1) {
  EXPECT_EQ(
      read_all(
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n2;x=y\r\n1]\r\n0\r\nT: v\r\n\r\nZ"),
      "200 [Transfer-Encoding=chunked;] {[1]} kept |Z");
}

TEST(ResponseReader, TheSizeOfAChunkMayBeginWithManyZeros_RFC9112_7_1) {
  const auto with_size = [](std::string size) {
    return read_all("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::move(size) +
                    "\r\n[1]\r\n0\r\n\r\n");
  };
  const std::string whole = "200 [Transfer-Encoding=chunked;] {[1]} kept |";
  EXPECT_EQ(with_size("000000000000000000003"), whole);
  // The first zero is a digit as any other; of those behind it, the longest line of a chunk's extensions.
  EXPECT_EQ(with_size(std::string(1 + 1024, '0') + "3"), whole);
  EXPECT_TRUE(with_size(std::string(1 + 1025, '0') + "3").contains("chunk size too long"));
  EXPECT_TRUE(with_size("1000000000000000").contains("error 413"));
}

TEST(ResponseReader, ABodyUntilTheClose_RFC9112_6_3) {
  EXPECT_EQ(read_all("HTTP/1.0 200 OK\r\n\r\n[1]", {}, true), "200 [] {[1]} ended");
  EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\n\r\n", {}, true), "200 [] {} ended");
  EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\n\r\n[1]"), "200 [] {[1]...");
  // An end anywhere else is none of the response.
  EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[", {}, true),
            "200 [Content-Length=3;] {[...");
  EXPECT_EQ(read_all("HTTP/1.1 200 O", {}, true), "{...");
}

TEST(ResponseReader, StatusesWithoutABody_RFC9112_6_3) {
  EXPECT_EQ(read_all("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\nrest"),
            "204 [Content-Length=9;] {} kept |rest");
  EXPECT_EQ(read_all("HTTP/1.1 304 Not Modified\r\n\r\n"), "304 [] {} kept |");
}

TEST(ResponseReader, InterimResponsesAreSkipped_RFC9110_15_2) {
  EXPECT_EQ(read_all("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"),
            "200 [Content-Length=1;] {1} kept |");
  EXPECT_EQ(read_all("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
            "error 502: a switch of protocols that was not requested");
}

TEST(ResponseReader, WhetherTheConnectionIsKept_RFC9112_9_3) {
  EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1"),
            "200 [Connection=close;Content-Length=1;] {1} closed |");
  EXPECT_EQ(read_all("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1"),
            "200 [Content-Length=1;] {1} closed |");
  EXPECT_EQ(read_all("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n1"),
            "200 [Connection=keep-alive;Content-Length=1;] {1} kept |");
}

TEST(ResponseReader, LimitsAtAndPast) {
  const std::string head = "HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 3\r\n\r\n";
  const ResponseReaderLimits at{.head_bytes_max = head.size(), .header_count_max = 2, .body_bytes_max = 3};
  EXPECT_EQ(read_all(head + "[1]", at), "200 [A=1;Content-Length=3;] {[1]} kept |");
  EXPECT_EQ(read_all(head, {.head_bytes_max = head.size() - 1}), "error 502: head too large");
  EXPECT_EQ(read_all(head, {.header_count_max = 1}), "error 502: too many headers");
  EXPECT_EQ(read_all(head, {.body_bytes_max = 2}), "error 413: body too large");
  const std::string open = "HTTP/1.0 200 OK\r\n\r\n";
  EXPECT_EQ(read_all(open + "[1]", at, true), "200 [] {[1]} ended");
  EXPECT_EQ(read_all(open + "[12]", at, true), "200 [] error 413: body too large");
  const std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n";
  EXPECT_EQ(read_all(chunks + "0\r\n\r\n", {.body_bytes_max = 3}),
            "200 [Transfer-Encoding=chunked;] {[1]} kept |");
  const std::string past = read_all(chunks + "1\r\n", {.body_bytes_max = 3});
  EXPECT_TRUE(past.contains("error 413")) << past;
}

TEST(ResponseReader, WhatIsNotHttpIsRejected) {
  for (const std::string_view text :
       {"\x16\x03\x01 noise\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 999 Odd\r\n\r\n",
        "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"}) {
    EXPECT_TRUE(read_all(text).starts_with("error 502")) << text << read_all(text);
  }
}

TEST(ResponseReader, OneResponseAfterTheOther) {
  ResponseReader reader;
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
  for (int i = 0; i < 3; ++i) {
    reader.begin();
    EXPECT_FALSE(reader.has_begun());
    EXPECT_EQ(reader.status(), 0);
    Bytes input = as_bytes(text);
    Bytes data;
    EXPECT_EQ(reader.next(input, data), ResponseReader::Step::head);
    EXPECT_TRUE(reader.has_begun());
    EXPECT_EQ(reader.next(input, data), ResponseReader::Step::body);
    EXPECT_EQ(as_text(data), "1");
    EXPECT_EQ(reader.next(input, data), ResponseReader::Step::done);
  }
  Bytes more = as_bytes(text);
  Bytes data;
  EXPECT_EQ(reader.next(more, data).error().reason, "a response that was not requested");
}

}  // namespace
}  // namespace fanfare::http
