// Who gets a picture of the past, and in which order.
#include "canvasserver/past_pictures.h"

#include "canvasserver/server_for_tests.h"

namespace fanfare::canvasserver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

using Flag = std::shared_ptr<std::atomic<bool>>;

class PastPicturesTest : public testing::Test {
 protected:
  PastPicturesTest() { state_->reads_past = true; }

  // `at_ms` is its name in answers_.
  PastPictures::Asked ask(std::int64_t at_ms, const std::string& payer, const Flag& gone = nullptr) {
    return pictures_.ask(storage_, spec_,
                         {.area = canvas::Area::whole(spec_),
                          .at_ms = at_ms,
                          .payer = payer,
                          .abandonment = gone,
                          .done = [this, at_ms](PastLog::Result<std::string> png) {
                            answers_[at_ms] = png ? *png : png.error();
                          }});
  }
  void make_all() {
    while (!state_->past_tasks.empty()) state_->run_past(log_);
  }

  const canvas::RoomSpec spec_{.width = 2, .height = 2};
  const std::shared_ptr<StorageState> state_ = std::make_shared<StorageState>();
  TestStorage storage_{state_, false};
  BlankPast log_;
  std::map<std::int64_t, std::string> answers_;
  PastPictures pictures_;
};

TEST_F(PastPicturesTest, AreMadeOneAfterAnotherForEachPayerInTurn) {
  for (const std::int64_t at_ms : {1, 2, 3}) ask(at_ms, "greedy");
  ask(10, "other");
  ask(20, "third");
  ask(11, "other");
  EXPECT_EQ(state_->past_tasks.size(), 1U) << "the storage has one at a time";
  make_all();
  EXPECT_THAT(log_.moments, ElementsAre(1, 10, 20, 2, 11, 3));
  EXPECT_THAT(answers_[3], StartsWith("\x89PNG"));
}

TEST_F(PastPicturesTest, APayerHasAtMostPastPicturesPerPayerMaxUnderWay) {
  for (std::size_t i = 1; i <= kPastPicturesPerPayerMax; ++i) {
    EXPECT_EQ(ask(static_cast<std::int64_t>(i), "one"), PastPictures::Asked::accepted);
  }
  EXPECT_EQ(ask(99, "one"), PastPictures::Asked::payer_has_too_many);
  EXPECT_EQ(ask(50, "two"), PastPictures::Asked::accepted);
  state_->run_past(log_);
  EXPECT_EQ(ask(5, "one"), PastPictures::Asked::accepted) << "one of them is answered";
  EXPECT_EQ(ask(99, "one"), PastPictures::Asked::payer_has_too_many);
  make_all();
  EXPECT_EQ(answers_.count(99), 0U);
  EXPECT_EQ(answers_.size(), kPastPicturesPerPayerMax + 2);
}

TEST_F(PastPicturesTest, ARoomHasAtMostPastPicturesPerRoomMaxUnderWay) {
  for (std::size_t i = 0; i < kPastPicturesPerRoomMax; ++i) {
    EXPECT_EQ(ask(static_cast<std::int64_t>(i), std::to_string(i)), PastPictures::Asked::accepted);
  }
  EXPECT_EQ(ask(99, "more"), PastPictures::Asked::room_has_too_many);
  state_->run_past(log_);
  EXPECT_EQ(ask(99, "more"), PastPictures::Asked::accepted);
}

TEST_F(PastPicturesTest, ThoseOfAClientThatHasGoneAreNotMadeAndHoldNoPlace) {
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  for (std::size_t i = 1; i <= kPastPicturesPerPayerMax; ++i) ask(static_cast<std::int64_t>(i), "one", gone);
  gone->store(true);
  EXPECT_EQ(ask(10, "one"), PastPictures::Asked::accepted);
  EXPECT_EQ(answers_.size(), kPastPicturesPerPayerMax - 1) << "those that were waiting";
  log_.set_wanted([&] { return !gone->load(); });
  state_->run_past(log_);
  EXPECT_THAT(answers_[1], HasSubstr("nobody waits"));
  log_.set_wanted({});
  make_all();
  EXPECT_THAT(log_.moments, ElementsAre(1, 10));
  EXPECT_THAT(answers_[10], StartsWith("\x89PNG"));
}

TEST_F(PastPicturesTest, ThoseOfOtherRoomsCountAndHoldNoPlaceEither) {
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  for (std::size_t i = 1; i <= kPastPicturesPerPayerMax; ++i) ask(static_cast<std::int64_t>(i), "one", gone);
  TestStorage other(state_, false);
  const auto ask_other = [&] {
    return pictures_.ask(other, spec_,
                         {.area = canvas::Area::whole(spec_),
                          .payer = "one",
                          .done = [](const PastLog::Result<std::string>&) {}});
  };
  EXPECT_EQ(ask_other(), PastPictures::Asked::payer_has_too_many);
  gone->store(true);
  EXPECT_EQ(ask_other(), PastPictures::Asked::accepted);
  make_all();
}

TEST_F(PastPicturesTest, AStorageThatTakesNoMoreAnswersAllThatWait) {
  for (const std::int64_t at_ms : {1, 2, 3}) ask(at_ms, std::to_string(at_ms));
  state_->reads_past = false;
  state_->run_past(log_);
  EXPECT_THAT(answers_[2], HasSubstr("too many pictures"));
  EXPECT_THAT(answers_[3], HasSubstr("too many pictures"));
  EXPECT_THAT(state_->past_tasks, IsEmpty());
}

}  // namespace
}  // namespace fanfare::canvasserver
