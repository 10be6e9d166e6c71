#include "upstream/content_decoder.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <string>

namespace fanfare::upstream {
namespace {

using Coding = ContentDecoder::Coding;
using Step = ContentDecoder::Result;

// `window_bits`: zlib's, which also choose the format.
std::string coded(const std::string& text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Decoded {
  Step result = Step::fine;
  std::string text;
  bool is_complete = false;
};

Decoded decoded(Coding coding, const std::string& from, std::size_t piece, std::size_t bytes_max = SIZE_MAX) {
  ContentDecoder decoder(coding);
  Decoded out;
  UniqueFunction<bool(std::string_view)> sink = [&](std::string_view text) {
    if (text.size() > bytes_max - out.text.size()) return false;
    out.text += text;
    return true;
  };
  for (std::size_t at = 0; at < from.size() && out.result == Step::fine; at += piece) {
    out.result = decoder.decode(as_bytes(from).subspan(at, std::min(piece, from.size() - at)), sink);
  }
  out.is_complete = decoder.is_complete();
  return out;
}

const std::string kPlainText = "{\"result\":\"" + std::string(100'000, 'x') + "\"}";

TEST(ContentDecoder, ReadsEachFormatInAnyPieces_RFC9110_8_4_1) {
  for (const auto& [coding, bits] :
       {std::pair(Coding::gzip, 15 + 16), std::pair(Coding::deflate, 15), std::pair(Coding::deflate, -15)}) {
    const std::string text = coded(kPlainText, bits);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, text.size()}) {
      const Decoded out = decoded(coding, text, piece);
      EXPECT_EQ(out.result, Step::fine);
      EXPECT_EQ(out.text, kPlainText);
      EXPECT_TRUE(out.is_complete);
    }
    EXPECT_FALSE(decoded(coding, text.substr(0, text.size() - 1), 100).is_complete);
    EXPECT_EQ(decoded(coding, text + "x", 100).result, Step::invalid);
  }
}

TEST(ContentDecoder, RejectsOtherData) {
  EXPECT_EQ(decoded(Coding::gzip, "{\"result\":1}", 100).result, Step::invalid);
  EXPECT_EQ(decoded(Coding::deflate, "\x78{\"result\":1}", 100).result, Step::invalid);
}

TEST(ContentDecoder, StopsWhenTheSinkHasEnough) {
  const std::string text = coded(kPlainText, 15 + 16);
  EXPECT_EQ(decoded(Coding::gzip, text, 100, kPlainText.size()).result, Step::fine);
  const Decoded out = decoded(Coding::gzip, text, 100, kPlainText.size() - 1);
  EXPECT_EQ(out.result, Step::refused);
  EXPECT_LT(out.text.size(), kPlainText.size());
}

TEST(ContentDecoder, KnowsItsNames) {
  EXPECT_EQ(ContentDecoder::coding_of("GZIP"), Coding::gzip);
  EXPECT_EQ(ContentDecoder::coding_of("x-gzip"), Coding::gzip);
  EXPECT_EQ(ContentDecoder::coding_of("deflate"), Coding::deflate);
  EXPECT_EQ(ContentDecoder::coding_of("identity"), Coding::identity);
  EXPECT_EQ(ContentDecoder::coding_of("br"), std::nullopt);
  EXPECT_EQ(ContentDecoder::coding_of("gzip, gzip"), std::nullopt);
}

}  // namespace
}  // namespace fanfare::upstream
