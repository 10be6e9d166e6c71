// What arrives while a broadcast is queued leaves together with it.

#include "net/loop_for_tests.h"

namespace fanfare::net {
namespace {

class SecondLookTest : public LoopTest {
 protected:
  // What one stream receives goes to all the others.
  void connect(std::size_t receivers) {
    for (std::size_t i = 0; i < receivers; ++i) receivers_.push_back(connect_pair(new_diary()));
    sender_diary_.when_receiving = [this](Stream&, MutableBytes bytes) {
      const std::string text(as_text(bytes));
      const SharedBytes shared{Bytes(bytes)};
      for (auto& [stream, peer] : receivers_) stream->push(shared);
      if (then_) then_(text);
    };
    sender_ = connect_pair(sender_diary_).second;
    // Whatever begins with a stream is over: the next turn has only what a test sends.
    for (int i = 0; i < 3; ++i) loop_->run_once(Duration::zero());
  }
  void send(std::string_view text) { write_all(sender_.get(), text); }
  // One turn, which has an event.
  void run_turn() {
    loop_->run_once(std::chrono::seconds(60));
    loop_->prepare_to_wait();  // the kernel has what was sent
  }
  void send_two_while_one_is_queued() {
    then_ = [this](const std::string& text) {
      if (text == "one") send("two");
    };
    send("one");
    run_turn();
  }
  // What each receiver has got.
  std::string received() {
    std::string first;
    for (auto& [stream, peer] : receivers_) {
      std::string text(100, '\0');
      const ssize_t got = ::recv(peer.get(), text.data(), text.size(), MSG_DONTWAIT);
      text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      if (&stream == &receivers_.front().first) first = text;
      EXPECT_EQ(text, first);
    }
    return first;
  }

  Diary& sender_diary_ = new_diary();
  Descriptor sender_;
  std::vector<std::pair<Stream*, Descriptor>> receivers_;
  std::function<void(const std::string& received)> then_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, SecondLookTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

TEST_P(SecondLookTest, WhatArrivesMeanwhileLeavesWithABroadcast) {
  connect(SecondLook::kPushesMin);
  send_two_while_one_is_queued();
  EXPECT_EQ(received(), "onetwo");
}

TEST_P(SecondLookTest, ForFewerReceiversItIsNotWorthALook) {
  connect(SecondLook::kPushesMin - 1);
  send_two_while_one_is_queued();
  EXPECT_EQ(received(), "one");
  run_turn();
  EXPECT_EQ(received(), "two");
}

TEST_P(SecondLookTest, ASenderThatNeverStopsDelaysNothingFurther) {
  connect(SecondLook::kPushesMin);
  then_ = [this](const std::string&) { send("x"); };
  send("x");
  run_turn();
  EXPECT_EQ(received(), "xx");
  run_turn();
  EXPECT_EQ(received(), "xx");
}

TEST_P(SecondLookTest, TasksOfOtherThreadsLeaveWithABroadcastToo) {
  connect(SecondLook::kPushesMin);
  const SharedBytes posted(as_bytes("posted"));
  then_ = [&](const std::string&) {
    loop_->post([&] {
      for (auto& [stream, peer] : receivers_) stream->push(posted);
    });
  };
  send("sent ");
  run_turn();
  EXPECT_EQ(received(), "sent posted");
}

// Streams that end meanwhile are still in the list of those that send.
TEST_P(SecondLookTest, ReceiversMayEndMeanwhile) {
  connect(SecondLook::kPushesMin + 2);
  then_ = [this](const std::string& text) {
    if (text != "one") return;
    receivers_[0].first->close();
    ::shutdown(receivers_[1].second.get(), SHUT_RDWR);
    receivers_.erase(receivers_.begin(), receivers_.begin() + 2);
    send("two");
  };
  send("one");
  run_turn();
  EXPECT_EQ(received(), "onetwo");
}

}  // namespace
}  // namespace fanfare::net
