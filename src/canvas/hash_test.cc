#include "canvas/hash.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "canvas/place.h"
#include "jsonrpc/value.h"

namespace fanfare::canvas {
namespace {

TEST(Hash, EqualsTheVectorsThatAllImplementationsShare) {
  std::ifstream file(FANFARE_SOURCE_DIR "/tests/canvas/hash.json");
  std::stringstream read;
  read << file.rdbuf();
  const std::string text = read.str();
  ASSERT_TRUE(jsonrpc::is_valid_json(text));
  std::size_t count = 0;
  for (const std::string_view vector : jsonrpc::array_elements(text)) {
    const auto background = static_cast<Colour>(*jsonrpc::uint_value(*jsonrpc::member(vector, "background")));
    ChunkHash hash(background);
    for (const std::string_view pixel : jsonrpc::array_elements(*jsonrpc::member(vector, "pixels"))) {
      const auto index = static_cast<std::uint16_t>(*jsonrpc::uint_value(*jsonrpc::element(pixel, 0)));
      const auto colour = static_cast<Colour>(*jsonrpc::uint_value(*jsonrpc::element(pixel, 1)));
      hash.change(index, background, colour);
    }
    std::array<char, 17> digits{};
    std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash.value()));
    EXPECT_EQ(digits.data(), *jsonrpc::string_value(*jsonrpc::member(vector, "hash")))
        << *jsonrpc::member(vector, "name");
    ++count;
  }
  EXPECT_GE(count, 8U);
}

TEST(Hash, DoesNotDependOnTheOrderOfChanges) {
  SeededRandom random(1);
  std::vector<Colour> colours(kChunkPixels, 7);
  ChunkHash hash(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto index = static_cast<std::uint16_t>(random.below(kChunkPixels));
    const auto colour = static_cast<Colour>(random.below(16));
    hash.change(index, colours[index], colour);
    colours[index] = colour;
  }
  ChunkHash again(7);
  for (std::size_t i = colours.size(); i-- > 0;) again.change(static_cast<std::uint16_t>(i), 7, colours[i]);
  EXPECT_EQ(hash.value(), again.value());
  EXPECT_NE(hash.value(), 0U);
}

}  // namespace
}  // namespace fanfare::canvas
