// What compression may keep, and frames shared by many connections.
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "ws/deflate_codec.h"
#include "ws/deflate_for_tests.h"
#include "ws/encode.h"

namespace fanfare::ws {
namespace {

using namespace deflate_tests;

TEST(DeflateBudgetTest, GivesBackWhatConnectionsHeld) {
  DeflatePool pool(kEager);
  {
    DeflateCodec server(kTakeover, Role::server, pool);
    ASSERT_TRUE(server.compress(Opcode::text, bytes_of("Hello, Hello, Hello")).has_value());
    ASSERT_TRUE(inflated(server, bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00")).has_value());
    EXPECT_GT(pool.budget().bytes(), 1024U);
  }
  EXPECT_EQ(pool.budget().bytes(), 0U);
}

TEST(DeflateBudgetTest, CompressesWithoutHistoryWhenUsedUp) {
  SeededRandom random(8);
  DeflatePool poor({.threshold_bytes = 1, .context_bytes_max = 0});
  DeflatePool rich(kEager);
  DeflateCodec server(kTakeover, Role::server, poor);
  DeflateCodec client(kTakeover, Role::client, rich);
  for (int count = 0; count < 5; ++count) {
    const std::string text = json(random, 3000);
    const Buffer payload = owned(server.compress(Opcode::text, bytes_of(text)));
    ASSERT_FALSE(payload.empty());
    EXPECT_EQ(payload.front() & 1, 0) << "the peer keeps its inflater: no final block";
    EXPECT_EQ(inflated(client, payload), text);
  }
  EXPECT_EQ(server.context_bytes(), 0U);
  EXPECT_GE(poor.budget().refusals(), 5U);
}

TEST(DeflateBudgetTest, CannotReceiveWithTakeoverWhenUsedUp_RFC7692_8) {
  DeflatePool poor({.context_bytes_max = 1023});
  DeflateCodec takeover(kTakeover, Role::server, poor);
  EXPECT_EQ(inflated(takeover, bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00")),
            Inflated(std::unexpect, CodecError::out_of_contexts));
  DeflateCodec forgetful(kNoTakeover, Role::server, poor);
  EXPECT_EQ(inflated(forgetful, bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00")), "Hello");

  DeflatePool enough({.context_bytes_max = 1024});
  DeflateCodec first(kTakeover, Role::server, enough);
  EXPECT_EQ(inflated(first, bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00")), "Hello");
}

TEST(DeflateShared, OneFrameServesEveryKindOfConnection) {
  SeededRandom random(9);
  DeflatePool pool(kEager);
  DeflatePool peer(kEager);
  DeflateCodec takeover({.server_max_window_bits = 12}, Role::server, pool);
  DeflateCodec takeover_client({.server_max_window_bits = 12}, Role::client, peer);
  DeflateCodec forgetful({.server_no_context_takeover = true, .server_max_window_bits = 12}, Role::server,
                         pool);
  DeflateCodec forgetful_client({.server_no_context_takeover = true, .server_max_window_bits = 12},
                                Role::client, peer);
  for (int count = 0; count < 10; ++count) {
    const std::string own = json(random, 2000);
    const std::string broadcast = json(random, 30000);
    EXPECT_EQ(inflated(takeover_client, owned(takeover.compress(Opcode::text, bytes_of(own)))), own);
    EXPECT_EQ(inflated(forgetful_client, owned(forgetful.compress(Opcode::text, bytes_of(own)))), own);
    const SharedBytes plain = encode_message(Opcode::text, bytes_of(broadcast));
    const SharedBytes frame = takeover.shared_form(plain);
    EXPECT_EQ(forgetful.shared_form(plain).view().data(), frame.view().data()) << "made once";
    ASSERT_EQ(frame.view()[1], 126);
    const Bytes payload = frame.view().subspan(4);
    ASSERT_EQ((frame.view()[2] << 8) | frame.view()[3], static_cast<int>(payload.size()));
    EXPECT_EQ(inflated(takeover_client, payload), broadcast);
    EXPECT_EQ(inflated(forgetful_client, payload), broadcast);
  }
}

TEST(DeflateShared, EachWindowHasItsOwnTwin) {
  SeededRandom random(12);
  DeflatePool pool(kEager);
  DeflateCodec large({.server_max_window_bits = 15}, Role::server, pool);
  DeflateCodec small({.server_max_window_bits = 9}, Role::server, pool);
  DeflateCodec small_client({.server_max_window_bits = 9}, Role::client, pool);
  const std::string broadcast = json(random, 3000);
  const SharedBytes plain = encode_message(Opcode::text, bytes_of(broadcast));
  const SharedBytes frame = small.shared_form(plain);
  EXPECT_NE(large.shared_form(plain).view().data(), frame.view().data());
  EXPECT_EQ(inflated(small_client, frame.view().subspan(4)), broadcast);
}

TEST(DeflateShared, WhatWouldNotShrinkIsSentAsItIs) {
  SeededRandom random(13);
  DeflatePool pool({.threshold_bytes = 64});
  DeflateCodec codec({.server_max_window_bits = 12}, Role::server, pool);
  const SharedBytes at_threshold = encode_message(Opcode::text, bytes_of(std::string(64, 'a')));
  EXPECT_NE(codec.shared_form(at_threshold).view().data(), at_threshold.view().data());
  const SharedBytes below = encode_message(Opcode::text, bytes_of(std::string(63, 'a')));
  EXPECT_EQ(codec.shared_form(below).view().data(), below.view().data());
  const SharedBytes incompressible = encode_message(Opcode::binary, bytes_of(noise(random, 500)));
  EXPECT_EQ(codec.shared_form(incompressible).view().data(), incompressible.view().data());
}

TEST(DeflateShared, TwinsOfTheLatestFramesAreRemembered) {
  DeflatePool pool(kEager);
  DeflateCodec codec({.server_max_window_bits = 12}, Role::server, pool);
  std::vector<SharedBytes> frames;
  std::vector<SharedBytes> twins;
  for (int i = 0; i < 9; ++i) {
    frames.push_back(encode_message(Opcode::text, bytes_of(std::string(500, static_cast<char>('a' + i)))));
    twins.push_back(codec.shared_form(frames.back()));
  }
  for (std::size_t i = 1; i < frames.size(); ++i) {
    EXPECT_EQ(codec.shared_form(frames[i]).view().data(), twins[i].view().data());
  }
  // The oldest of nine is compressed again.
  EXPECT_NE(codec.shared_form(frames.front()).view().data(), twins.front().view().data());
}

TEST(DeflateShared, WritesTheShortestHeader_RFC6455_5_2) {
  SeededRandom random(10);
  DeflatePool pool(kEager);
  const SharedBytes small = pool.compress_shared(Opcode::binary, bytes_of(std::string(200, 'a')), 15).value();
  EXPECT_EQ(small.view()[0], 0xc2);
  EXPECT_EQ(small.view()[1], small.size() - 2);
  EXPECT_LT(small.size(), 127U);
  const SharedBytes large =
      pool.compress_shared(Opcode::text, bytes_of(noise(random, 70000) + std::string(9000, 'a')), 15).value();
  EXPECT_EQ(large.view()[0], 0xc1);
  EXPECT_EQ(large.view()[1], 127);
  std::size_t length = 0;
  for (int index = 2; index < 10; ++index)
    length = (length << 8) | large.view()[static_cast<std::size_t>(index)];
  EXPECT_EQ(length, large.size() - 10);
  EXPECT_FALSE(pool.compress_shared(Opcode::text, bytes_of(noise(random, 500)), 15).has_value());
}

}  // namespace
}  // namespace fanfare::ws
