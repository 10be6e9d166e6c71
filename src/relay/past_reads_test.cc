#include "relay/past_reads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace fanfare::relay {
namespace {

using std::chrono::milliseconds;
using Texts = std::vector<std::string>;

const Instant kNow{std::chrono::hours(1)};

// A stream with the messages `first` to `last`, of epoch 5; the answers come when the test says so.
class PastReadsTest : public testing::Test {
 public:
  void read(std::uint64_t after, std::size_t bytes_max = 1000, std::string topic = "t") {
    reads.add(
        std::move(topic), {.epoch = 5, .offset = after}, bytes_max,
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
    if (sequence >= state.first && sequence <= has_to && !deleted.contains(sequence))
      message = {.position = {.epoch = state.epoch, .offset = sequence},
                 .payload = SharedBytes(as_bytes(std::to_string(sequence)))};
    reads.answered(id, std::move(message), now);
  }

  // Longer than a broker may be behind.
  void wait_for_absent_one() {
    for (int i = 0; i < PastReads::kRetriesMax + 10; ++i) {
      answer_all();
      reads.tick(kNow + (i + 1) * PastReads::kRetryAfter);
    }
    answer_all();
  }

  StreamState state{.epoch = 5, .first = 1, .last = 20};
  std::uint64_t has_to = 20;  // the broker that answers
  std::set<std::uint64_t> deleted;
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
  // Nor is anything behind it there.
  reads.tick(kNow + (PastReads::kRetriesMax + 1) * PastReads::kRetryAfter);
  answer_all();
  EXPECT_EQ(pieces, std::vector<Texts>{Texts{}});
}

// As of an event that somebody has deleted at the broker. What follows it is there.
TEST_F(PastReadsTest, AHoleIsPassedOverToTheNextMessage) {
  deleted = {12, 13, 16};
  read(9);
  answer_all();
  EXPECT_EQ(pieces, std::vector<Texts>{(Texts{"10", "11"})});
  read(11);
  wait_for_absent_one();
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[1], (Texts{"14", "15"}));
}

TEST_F(PastReadsTest, AKnownHoleIsNotWaitedForAgain) {
  deleted = {12, 13};
  read(11);
  wait_for_absent_one();
  for (const std::uint64_t after : {11, 12}) {
    read(after);
    answer_all();
    EXPECT_EQ(pieces.back().front(), "14");
  }
  ASSERT_EQ(pieces.size(), 3U);
  // Of another topic and another epoch it says nothing.
  read(10);
  answer_all();
  EXPECT_EQ(pieces.back(), Texts{"11"});
}

TEST_F(PastReadsTest, AHoleMayBeLongerThanAPiece) {
  state.last = has_to = 300;
  for (std::uint64_t i = 2; i < 250; ++i) deleted.insert(i);
  read(1);
  wait_for_absent_one();
  ASSERT_EQ(pieces.size(), 1U);
  EXPECT_EQ(pieces[0].front(), "250");
}

// Of messages whose size is not known, few are asked for: as many as are known to be missing.
TEST_F(PastReadsTest, ASmallHoleCostsFewMessages) {
  state.last = has_to = 300;
  deleted = {12};
  read(11, 1);
  std::size_t asked_behind = 0;
  for (int i = 0; i < PastReads::kRetriesMax + 10; ++i) {
    asked_behind += static_cast<std::size_t>(
        std::ranges::count_if(asked, [](const auto& each) { return each.second > 12; }));
    answer_all();
    reads.tick(kNow + (i + 1) * PastReads::kRetryAfter);
  }
  EXPECT_EQ(pieces, std::vector<Texts>{Texts{"13"}});
  EXPECT_EQ(asked_behind, 1U);
}

TEST_F(PastReadsTest, AHoleThatManyFindAtOnceIsRememberedOnce) {
  state.last = has_to = 1000;
  deleted = {5, 500, 600, 700};
  read(4);
  wait_for_absent_one();
  for (const std::uint64_t hole : {500, 600, 700}) {
    for (std::size_t i = 0; i < PastReads::kAtOnceOfTopicMax; ++i) read(hole - 1);
    wait_for_absent_one();
  }
  const std::size_t before = pieces.size();
  read(4);
  answer_all();
  EXPECT_EQ(pieces.size(), before + 1) << "still known";
}

TEST_F(PastReadsTest, AHoleAtTheEndIsNothing) {
  deleted = {19, 20};
  read(18);
  wait_for_absent_one();
  EXPECT_EQ(pieces, std::vector<Texts>{Texts{}});
}

TEST_F(PastReadsTest, OnlySoManyHolesAreRemembered) {
  state.last = has_to = 1000;
  for (std::uint64_t i = 0; i <= PastReads::kHolesMax; ++i) {
    deleted.insert(10 * i + 5);
    read(10 * i + 4);
    wait_for_absent_one();
  }
  const std::size_t before = pieces.size();
  read(14);
  answer_all();
  EXPECT_EQ(pieces.size(), before + 1) << "the second one is known";
  read(4);
  answer_all();
  EXPECT_EQ(pieces.size(), before + 1) << "the first one is not, any more";
}

// The broker may have begun behind it by now.
TEST_F(PastReadsTest, AHoleThatTheBrokerDropsMeanwhileIsPassedOver) {
  deleted = {12};
  read(11);
  for (int i = 0; i <= PastReads::kRetriesMax; ++i) {
    answer_all();
    if (i == PastReads::kRetriesMax) state.first = 18;
    reads.tick(kNow + (i + 1) * PastReads::kRetryAfter);
  }
  reads.tick(kNow + (PastReads::kRetriesMax + 2) * PastReads::kRetryAfter);
  answer_all();
  EXPECT_EQ(pieces, std::vector<Texts>{(Texts{"18", "19", "20"})});
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
  for (std::size_t i = 0; i < PastReads::kAtOnceMax + 1; ++i) read(19, 1000, "t" + std::to_string(i % 3));
  EXPECT_EQ(asked.size(), PastReads::kAtOnceMax);
  answer_all();
  EXPECT_EQ(pieces.size(), PastReads::kAtOnceMax + 1);
}

// A hole that many wait for, say.
TEST_F(PastReadsTest, OneTopicLeavesTurnsToTheOthers) {
  for (std::size_t i = 0; i < 2 * PastReads::kAtOnceMax; ++i) read(19);
  EXPECT_EQ(asked.size(), PastReads::kAtOnceOfTopicMax);
  read(18, 1000, "other");
  EXPECT_EQ(asked.size(), PastReads::kAtOnceOfTopicMax + 1);
  EXPECT_EQ(asked.back().second, 19U);
  answer_all();
  EXPECT_EQ(pieces.size(), 2 * PastReads::kAtOnceMax + 1);
  EXPECT_EQ(reads.size(), 0U);
}

TEST_F(PastReadsTest, ThoseThatWaitedKnowWhatTheFirstFound) {
  deleted = {12};
  for (std::size_t i = 0; i < PastReads::kAtOnceOfTopicMax + 100; ++i) read(11);
  wait_for_absent_one();
  EXPECT_EQ(pieces.size(), PastReads::kAtOnceOfTopicMax + 100);
  for (const Texts& piece : pieces) EXPECT_EQ(piece.front(), "13");
}

}  // namespace
}  // namespace fanfare::relay
