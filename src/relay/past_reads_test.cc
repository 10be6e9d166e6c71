#include "relay/past_reads.h"

#include <gtest/gtest.h>

namespace fanfare::relay {
namespace {

using std::chrono::milliseconds;
using Texts = std::vector<std::string>;

const Instant kNow{std::chrono::hours(1)};

// A stream with the messages `first` to `last`, of epoch 5; the answers come when the test says so.
class PastReadsTest : public testing::Test {
 public:
  void read(std::uint64_t after, std::size_t bytes_max = 1000) {
    reads.add(
        "t", {.epoch = 5, .offset = after}, bytes_max,
        [this](std::vector<pubsub::RelayedEvent> events) {
          Texts& piece = pieces.emplace_back();
          for (const auto& event : events) {
            piece.emplace_back(as_text(event.payload.view()));
            EXPECT_EQ(event.position, (Position{.epoch = 5, .offset = std::stoull(piece.back())}));
          }
        },
        kNow);
  }
  void answer_all(Instant now = kNow) {
    while (!asked.empty()) {
      const auto [id, sequence] = asked.front();
      asked.erase(asked.begin());
      answer(id, sequence, now);
    }
  }
  void answer(const std::string& id, std::uint64_t sequence, Instant now = kNow) {
    std::optional<pubsub::RelayedEvent> message;
    if (sequence >= state.first && sequence <= has_to)
      message = {.position = {.epoch = state.epoch, .offset = sequence},
                 .payload = SharedBytes(as_bytes(std::to_string(sequence)))};
    reads.answered(id, std::move(message), now);
  }

  StreamState state{.epoch = 5, .first = 1, .last = 20};
  std::uint64_t has_to = 20;  // the broker that answers
  bool can_ask = true;
  std::vector<std::pair<std::string, std::uint64_t>> asked;
  std::vector<Texts> pieces;
  PastReads reads{{.ask =
                       [this](const std::string&, std::uint64_t sequence, const std::string& id) {
                         if (can_ask) asked.emplace_back(id, sequence);
                         return can_ask;
                       },
                   .state_of = [this](const std::string&) { return std::optional(state); }}};
};

TEST_F(PastReadsTest, APieceHasWhatFollows) {
  read(17);
  answer_all();
  EXPECT_EQ(pieces, std::vector<Texts>{(Texts{"18", "19", "20"})});
  EXPECT_EQ(reads.size(), 0U);
}

TEST_F(PastReadsTest, APieceHasSoManyBytesAndAtLeastOneMessage) {
  read(9, 4);
  read(9, 1);
  answer_all();
  EXPECT_EQ(pieces, (std::vector<Texts>{{"10"}, {"10", "11"}}));
}

TEST_F(PastReadsTest, APieceHasSoManyMessages) {
  state.last = has_to = 1000;
  read(0, 1'000'000);
  answer_all();
  ASSERT_EQ(pieces.size(), 1U);
  EXPECT_EQ(pieces[0].size(), PastReads::kMessagesMax);
  EXPECT_EQ(pieces[0].back(), "64");
}

TEST_F(PastReadsTest, AnswersInAnotherOrderMakeTheSamePiece) {
  read(14);
  answer(asked[0].first, 15);
  asked.erase(asked.begin());
  std::reverse(asked.begin(), asked.end());
  answer_all();
  EXPECT_EQ(pieces, std::vector<Texts>{(Texts{"15", "16", "17", "18", "19", "20"})});
}

TEST_F(PastReadsTest, WhatTheBrokerDroppedIsPassedOver) {
  state.first = 19;
  read(3);
  answer_all();
  EXPECT_TRUE(pieces.empty());
  reads.tick(kNow);
  answer_all();
  EXPECT_EQ(pieces, std::vector<Texts>{(Texts{"19", "20"})});
}

TEST_F(PastReadsTest, NothingIsBehindTheEndOrInAnotherEpoch) {
  read(20);
  answer_all();
  state.epoch = 6;
  read(3);
  answer_all();
  EXPECT_EQ(pieces, (std::vector<Texts>{{}, {}}));
}

TEST_F(PastReadsTest, ABrokerThatIsBehindIsAskedAgain) {
  has_to = 10;
  read(15);
  answer_all();
  EXPECT_TRUE(pieces.empty());
  reads.tick(kNow + PastReads::kRetryAfter - milliseconds(1));
  EXPECT_TRUE(asked.empty());
  has_to = 20;
  reads.tick(kNow + PastReads::kRetryAfter);
  answer_all();
  EXPECT_EQ(pieces, std::vector<Texts>{(Texts{"16", "17", "18", "19", "20"})});
}

TEST_F(PastReadsTest, AndNotForEver) {
  has_to = 10;
  read(15);
  for (int i = 0; i <= PastReads::kRetriesMax; ++i) {
    EXPECT_TRUE(pieces.empty()) << i;
    answer_all();
    reads.tick(kNow + (i + 1) * PastReads::kRetryAfter);
  }
  EXPECT_EQ(pieces, std::vector<Texts>{Texts{}});
}

TEST_F(PastReadsTest, WhatHasNoAnswerIsAskedAgain) {
  read(17);
  asked.clear();
  reads.tick(kNow + PastReads::kAnswerWait - milliseconds(1));
  EXPECT_TRUE(asked.empty());
  reads.tick(kNow + PastReads::kAnswerWait);
  reads.tick(kNow + PastReads::kAnswerWait + PastReads::kRetryAfter);
  answer_all();
  EXPECT_EQ(pieces, std::vector<Texts>{(Texts{"18", "19", "20"})});
}

TEST_F(PastReadsTest, WhatHasNoAnswerBecauseItsStreamIsGoneEnds) {
  read(17);
  state = StreamState();
  reads.tick(kNow + PastReads::kAnswerWait);
  EXPECT_EQ(pieces, std::vector<Texts>{Texts{}});
}

TEST_F(PastReadsTest, WithoutAConnectionItWaits) {
  read(17);
  reads.forget_asked();
  asked.clear();
  can_ask = false;
  reads.tick(kNow);
  can_ask = true;
  reads.tick(kNow + PastReads::kRetryAfter);
  answer_all();
  EXPECT_EQ(pieces, std::vector<Texts>{(Texts{"18", "19", "20"})});
}

TEST_F(PastReadsTest, SoManyAtOnceAndTheOthersAfterThem) {
  for (std::size_t i = 0; i < PastReads::kAtOnceMax + 1; ++i) read(19);
  EXPECT_EQ(asked.size(), PastReads::kAtOnceMax);
  answer_all();
  EXPECT_EQ(pieces.size(), PastReads::kAtOnceMax + 1);
}

}  // namespace
}  // namespace fanfare::relay
