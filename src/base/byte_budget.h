#pragma once
// One limit on the memory that all clients together may use, and a fair share of it for each.
//
//   ByteBudget budget(512 << 20);                                   // for the process
//   auto share = std::make_shared<ByteShare>(budget, 256 << 20);    // for one client
//   ByteHold hold(share);
//   if (!hold.grow(answer.size())) refuse();                        // given back when the hold is destroyed
//
// A client may hold at most as much as is free. One client that takes all it can leaves half of the budget
// free; N such clients leave one part in N + 1. So clients cannot exhaust the budget, and new ones find
// memory. Any thread, no locks.
//
// Budgets may be nested by the same rule: a project's budget holds at most what is free in the process's.
//
//   ByteBudget project(512 << 20, &budget);                         // its shares count in both

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace fanfare {

class ByteBudget {
 public:
  // `parent` must outlive it; null: top-level budget.
  explicit ByteBudget(std::size_t bytes_max, ByteBudget* parent = nullptr)
      : bytes_max_(bytes_max), parent_(parent) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  std::size_t bytes_max() const { return bytes_max_.load(std::memory_order_relaxed); }
  // For what is taken from now on. What is held already stays, also beyond a lower limit.
  void set_bytes_max(std::size_t bytes_max) { bytes_max_.store(bytes_max, std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  // Number of rejections, including those in nested budgets.
  std::uint64_t refusals() const { return refusals_.load(std::memory_order_relaxed); }

 private:
  friend class ByteShare;
  // `held_after`: what the holder has with these bytes; `holder_max`: what it may have.
  bool take(std::size_t bytes, std::size_t held_after, std::size_t holder_max);
  void give_back(std::size_t bytes);
  void count_refusal();

  std::atomic<std::size_t> bytes_max_;
  ByteBudget* const parent_;
  std::atomic<std::size_t> used_ = 0;
  std::atomic<std::uint64_t> refusals_ = 0;
};

// The budget must outlive it.
class ByteShare {
 public:
  ByteShare(ByteBudget& budget, std::size_t bytes_max) : budget_(budget), bytes_max_(bytes_max) {}
  ByteShare(const ByteShare&) = delete;
  ByteShare& operator=(const ByteShare&) = delete;

  std::size_t held() const { return held_.load(std::memory_order_relaxed); }
  // False: it would exceed the share, or what is free in the budget or one of its parents. Then nothing was
  // taken.
  bool take(std::size_t bytes);
  void give_back(std::size_t bytes);

 private:
  ByteBudget& budget_;
  const std::size_t bytes_max_;
  std::atomic<std::size_t> held_ = 0;
};

// Bytes held from a share, given back on destruction. Without a share it holds nothing and rejects nothing.
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
  // False: not enough memory is left; the hold is unchanged.
  bool grow(std::size_t bytes);
  void shrink_to(std::size_t bytes);
  void release() { shrink_to(0); }

 private:
  std::shared_ptr<ByteShare> share_;
  std::size_t bytes_ = 0;
};

}  // namespace fanfare
