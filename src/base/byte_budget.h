#pragma once
// One bound on the memory that all clients together may occupy, and a fair share of it for each.
//
//   ByteBudget budget(512 << 20);                                   // of the process
//   auto share = std::make_shared<ByteShare>(budget, 256 << 20);    // of one client
//   ByteHold hold(share);
//   if (!hold.grow(answer.size())) refuse();                        // given back when the hold is destroyed
//
// A client may hold at most what nobody holds: with one client that takes all it can, half of the budget
// stays free, with N of them one part in N + 1. So nobody can use it up, and who comes later finds room. Any
// thread, no locks.
//
// Budgets may be nested, by the same rule: a project's budget holds at most what is free of the process's.
//
//   ByteBudget project(512 << 20, &budget);                         // shares of it count in both

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace fanfare {

class ByteBudget {
 public:
  // `parent` outlives it; null: it is nobody's part.
  explicit ByteBudget(std::size_t bytes_max, ByteBudget* parent = nullptr)
      : bytes_max_(bytes_max), parent_(parent) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  std::size_t bytes_max() const { return bytes_max_; }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  // How often something was refused, to the budgets in it, too.
  std::uint64_t refusals() const { return refusals_.load(std::memory_order_relaxed); }

 private:
  friend class ByteShare;
  // For a holder that has `held_after` with these bytes, and may have `holder_max`.
  bool take(std::size_t bytes, std::size_t held_after, std::size_t holder_max);
  void give_back(std::size_t bytes);
  void count_refusal();

  const std::size_t bytes_max_;
  ByteBudget* const parent_;
  std::atomic<std::size_t> used_ = 0;
  std::atomic<std::uint64_t> refusals_ = 0;
};

// The budget outlives it.
class ByteShare {
 public:
  ByteShare(ByteBudget& budget, std::size_t bytes_max) : budget_(budget), bytes_max_(bytes_max) {}
  ByteShare(const ByteShare&) = delete;
  ByteShare& operator=(const ByteShare&) = delete;

  std::size_t held() const { return held_.load(std::memory_order_relaxed); }
  // False: it would be more than the share, or than what is free in the budget or one that this is part of.
  // Nothing was taken then.
  bool take(std::size_t bytes);
  void give_back(std::size_t bytes);

 private:
  ByteBudget& budget_;
  const std::size_t bytes_max_;
  std::atomic<std::size_t> held_ = 0;
};

// Bytes of a share, given back at the end. Without a share it holds nothing and refuses nothing.
class ByteHold {
 public:
  ByteHold() = default;
  explicit ByteHold(std::shared_ptr<ByteShare> share) : share_(std::move(share)) {}
  ByteHold(ByteHold&& other) noexcept
      : share_(std::move(other.share_)), bytes_(std::exchange(other.bytes_, 0)) {}
  ByteHold& operator=(ByteHold&& other) noexcept {
    std::swap(share_, other.share_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ByteHold(const ByteHold&) = delete;
  ByteHold& operator=(const ByteHold&) = delete;
  ~ByteHold() { release(); }

  std::size_t bytes() const { return bytes_; }
  const std::shared_ptr<ByteShare>& share() const { return share_; }
  // False: there is no room, and it holds what it held.
  bool grow(std::size_t bytes);
  void shrink_to(std::size_t bytes);
  void release() { shrink_to(0); }

 private:
  std::shared_ptr<ByteShare> share_;
  std::size_t bytes_ = 0;
};

}  // namespace fanfare
