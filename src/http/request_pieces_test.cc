// Bodies of requests taken in pieces: the same bytes as whole ones, however the input is split.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http/request_parser.h"

namespace fanfare::http {
namespace {

constexpr std::string_view kCounted = "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world";
constexpr std::string_view kChunked =
    "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n "
    "world\r\n0\r\nT: 1\r\n\r\n";

// Feeds the text in parts of this size, and returns the bodies of its requests, each with its path.
std::string bodies_of(std::string_view text, std::size_t part, std::uint64_t bytes_max = 1000) {
  RequestParser parser;
  std::string found;
  bool in_pieces = false;
  while (!text.empty()) {
    const std::string piece_of_input(text.substr(0, part));
    text.remove_prefix(piece_of_input.size());
    Bytes input = as_bytes(piece_of_input);
    while (true) {
      if (!in_pieces) {
        const auto head = parser.next_head(input);
        if (!head) return found + "error " + std::to_string(head.error().status);
        if (!*head) break;
        found.append((*head)->path).append("=");
        in_pieces = parser.in_body();
        if (const auto fits = parser.limit_body(bytes_max); !fits) {
          return found + "error " + std::to_string(fits.error().status);
        }
        continue;
      }
      const auto piece = parser.next_piece(input);
      if (!piece) return found + "error " + std::to_string(piece.error().status);
      found += as_text(piece->bytes);
      if (piece->last) {
        in_pieces = false;
        found += ";";
      } else if (piece->bytes.empty()) {
        break;
      }
    }
  }
  return found;
}

TEST(RequestPieces, AnySplitGivesTheSameBodies) {
  const std::string text = std::string(kCounted) + std::string(kChunked) +
                           "GET /b HTTP/1.1\r\nHost: x\r\n\r\n" + std::string(kCounted);
  for (std::size_t part = 1; part <= text.size(); ++part) {
    EXPECT_EQ(bodies_of(text, part), "/a=hello world;/a=hello world;/b=/a=hello world;") << part;
  }
}

TEST(RequestPieces, TheLimitIsInclusive_413) {
  for (const std::string_view text : {kCounted, kChunked}) {
    EXPECT_EQ(bodies_of(text, 7, 11), "/a=hello world;");
    EXPECT_TRUE(bodies_of(text, 7, 10).ends_with("error 413")) << bodies_of(text, 7, 10);
  }
}

TEST(RequestPieces, AMalformedChunkIsAnError) {
  const std::string text = "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n";
  for (std::size_t part = 1; part <= text.size(); ++part) {
    EXPECT_TRUE(bodies_of(text, part).ends_with("error 400")) << part;
  }
}

TEST(RequestPieces, KnowsHowMuchIsLeft) {
  RequestParser parser;
  Bytes input = as_bytes(kCounted);
  ASSERT_TRUE(parser.next_head(input));
  EXPECT_EQ(parser.body_left(), 11U);
  Bytes first = input.first(4);
  ASSERT_TRUE(parser.next_piece(first));
  EXPECT_EQ(parser.body_left(), 7U);
  RequestParser chunked;
  input = as_bytes(kChunked);
  ASSERT_TRUE(chunked.next_head(input));
  EXPECT_EQ(chunked.body_left(), std::nullopt);
}

TEST(RequestPieces, AClientThatSentItsBodyIsNotToldToContinue_RFC9110_10_1_1) {
  RequestParser parser;
  Bytes input = as_bytes("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(parser.next_head(input));
  input = as_bytes("abc");
  ASSERT_TRUE(parser.next_piece(input));
  EXPECT_FALSE(parser.take_continue());
}

}  // namespace
}  // namespace fanfare::http
