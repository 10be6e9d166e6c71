#pragma once
// Host names to addresses, without holding up a loop: one helper thread asks the system, one name at a time,
// and the answer is posted to the loop of whoever asked. The thread starts with the first question.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fanfare/unique_function.h"
#include "net/loop.h"
#include "net/socket.h"

namespace fanfare::session {

class Resolver {
 public:
  // In the order in which they are to be tried, never empty; or what went wrong, naming the host.
  using Result = std::expected<std::vector<net::Address>, std::string>;
  // Runs on the helper thread and may block.
  using Lookup = std::function<Result(const std::string& host, std::uint16_t port)>;
  using Answer = UniqueFunction<void(Result)>;

  // getaddrinfo(3): the system's order, RFC 6724.
  static Result system_lookup(const std::string& host, std::uint16_t port);

  explicit Resolver(Lookup lookup = system_lookup);
  // Questions still open are never answered. A lookup under way cannot be interrupted: its thread finishes it
  // alone, and what it found is thrown away.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

 private:
  struct State;
  struct Entry;

 public:
  // Kept by the one who asked; letting go of it withdraws the question: the answer is destroyed uncalled. On
  // the loop's thread only, and gone before the loop is.
  class Question {
   public:
    Question() = default;
    Question(Question&&) noexcept = default;
    Question& operator=(Question&& other) noexcept;
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question() { withdraw(); }
    void withdraw();

   private:
    friend class Resolver;
    std::shared_ptr<State> state_;
    std::shared_ptr<Entry> entry_;
  };

  // Called on the loop's thread; `answer` is too, later, at most once.
  [[nodiscard]] Question ask(net::Loop& loop, std::string host, std::uint16_t port, Answer answer);

 private:
  static void work(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace fanfare::session
