#pragma once
// A connection that asks for its session: one after another for each session. On the broker's thread.
//
//   look -> ours, and here            -> claim
//        -> another instance's, open  -> ask it -> claim
//        -> closed, or it is gone     -> claim the copy
//   claim: written with our name -> done      another was faster -> look again

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/shared_sessions.h"

namespace fanfare::gateway {

// Answers to a question of another instance, if it is no session.
inline constexpr std::string_view kNotHere = "-";
inline constexpr std::string_view kTooLong = "+";  // for the broker

// Begins the message to an instance whose closed session another instance has continued: kTaken, the key, kTaken, the new turn.
inline constexpr char kTaken = '!';

// The key as a part of a subject.
std::string text_of(const eth::ResumeKey& key);

class SharedSessions::Opening : public std::enable_shared_from_this<Opening> {
 public:
  Opening(SharedSessions& shared, Store store, Caller caller, Opened done)
      : shared_(shared), store_(std::move(store)), caller_(std::move(caller)), done_(std::move(done)) {}

  const eth::ResumeKey& key() const { return caller_.key; }
  static void look(const std::shared_ptr<Opening>& opening);
  // Before it has begun.
  void refuse(Refused refused) { done_(std::unexpected(refused)); }

  static constexpr int kTriesMax = 8;  // against others that want the same session

 private:
  void got(const std::expected<std::optional<Stored>, Failure>& got);
  void found(const Stored& stored);
  void ask(std::uint64_t instance, std::uint64_t revision, eth::ResumeImage copy);
  void answered(std::uint64_t instance, std::uint64_t revision, const eth::ResumeImage& copy,
                const std::optional<std::string>& answer);
  // Continues what was handed over.
  void take_over(std::uint64_t revision);
  // Continues what is here.
  void reopen(std::uint64_t revision);
  void adopt(std::uint64_t revision, const eth::ResumeImage& image, bool is_stale);
  void claim(std::uint64_t revision);
  void claimed(std::expected<std::uint64_t, Failure> result);
  // What is here continues without the broker.
  void go_on_alone();
  void finish(std::expected<eth::ResumeLease, Refused> result);

  SharedSessions& shared_;
  const Store store_;
  Caller caller_;
  Opened done_;
  int tries_ = 0;
  bool is_local_ = false;              // it was here before
  std::uint32_t turn_ = 0;             // SharedSession::turn, of what is written
  std::optional<std::uint64_t> left_;  // the instance that has it in memory, closed
  std::optional<eth::ResumeLease> lease_;
  // What an instance has handed over, which has it no more.
  std::optional<eth::SharedSession> exact_;
};

}  // namespace fanfare::gateway
