#pragma once
// An owned callable that can be moved but not copied. It may therefore capture objects that cannot be copied
// (a Responder, a std::unique_ptr). It replaces std::move_only_function in programs that are also compiled as
// C++20, and with standard libraries that do not have it. Size, layout and symbols are the same in C++20 and
// C++23.
//
//   fanfare::UniqueFunction<void(Session&)> task = [data = std::move(data)](Session& session) { ... };
//
// Thread: as for the callable inside; two threads must not use the same object at once.

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace fanfare {

template <typename Signature>
class UniqueFunction;

namespace detail {

// Types that can be empty themselves; an empty one makes an empty UniqueFunction.
template <typename>
inline constexpr bool can_be_empty = false;
template <typename Signature>
inline constexpr bool can_be_empty<std::function<Signature>> = true;
template <typename Signature>
inline constexpr bool can_be_empty<UniqueFunction<Signature>> = true;
template <typename Pointee>
inline constexpr bool can_be_empty<Pointee*> = true;
template <typename Member, typename Owner>
inline constexpr bool can_be_empty<Member Owner::*> = true;

}  // namespace detail

// Captures of up to three pointers are stored inline, larger ones on the heap. Calling an empty function
// aborts with a message.
template <typename Result, typename... Arguments>
class UniqueFunction<Result(Arguments...)> {
 public:
  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}

  template <typename Callable, typename Kept = std::decay_t<Callable>>
    requires(!std::is_same_v<std::remove_cvref_t<Callable>, UniqueFunction> &&
             std::is_invocable_r_v<Result, Kept&, Arguments...> && std::is_constructible_v<Kept, Callable>)
  UniqueFunction(Callable&& callable) {
    if constexpr (detail::can_be_empty<Kept>) {
      if (is_empty<Kept>(callable)) return;
    }
    if constexpr (kFits<Kept>) {
      ::new (static_cast<void*>(storage_.inside)) Kept(std::forward<Callable>(callable));
    } else {
      storage_.outside = new Kept(std::forward<Callable>(callable));
    }
    call_ = &call<Kept>;
    relocate_ = &relocate<Kept>;
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      // Destroys the old callable last, because its destructor may use this function.
      UniqueFunction old(std::move(*this));
      take(other);
    }
    return *this;
  }
  UniqueFunction& operator=(std::nullptr_t) noexcept {
    UniqueFunction old(std::move(*this));
    return *this;
  }
  UniqueFunction(const UniqueFunction&) = delete;
  UniqueFunction& operator=(const UniqueFunction&) = delete;
  ~UniqueFunction() {
    if (relocate_ != nullptr) relocate_(storage_, nullptr);
  }

  Result operator()(Arguments... arguments) {
    return call_(storage_, static_cast<Arguments&&>(arguments)...);
  }

  explicit operator bool() const noexcept { return relocate_ != nullptr; }
  friend bool operator==(const UniqueFunction& function, std::nullptr_t) noexcept { return !function; }

  void swap(UniqueFunction& other) noexcept { std::swap(*this, other); }
  friend void swap(UniqueFunction& left, UniqueFunction& right) noexcept { left.swap(right); }

 private:
  union Storage {
    void* outside;
    alignas(void*) std::byte inside[3 * sizeof(void*)];
  };
  // Arguments that are cheap to copy are passed in registers.
  template <typename Argument>
  using Passed = std::conditional_t<std::is_scalar_v<Argument>, Argument, Argument&&>;

  template <typename Kept>
  static constexpr bool kFits = sizeof(Kept) <= sizeof(Storage) && alignof(Kept) <= alignof(Storage) &&
                                std::is_nothrow_move_constructible_v<Kept>;

  template <typename Kept>
  static bool is_empty(const Kept& kept) noexcept {
    return kept == nullptr;
  }

  template <typename Kept>
  static Kept* inside(Storage& storage) noexcept {
    return std::launder(reinterpret_cast<Kept*>(storage.inside));
  }

  template <typename Kept>
  static Result call(Storage& storage, Passed<Arguments>... arguments) {
    Kept* kept = nullptr;
    if constexpr (kFits<Kept>) {
      kept = inside<Kept>(storage);
    } else {
      kept = static_cast<Kept*>(storage.outside);
    }
    if constexpr (std::is_void_v<Result>) {
      std::invoke(*kept, static_cast<Arguments&&>(arguments)...);
    } else {
      return std::invoke(*kept, static_cast<Arguments&&>(arguments)...);
    }
  }

  // Moves the callable from `from` to `to`, or destroys it if `to` is null.
  template <typename Kept>
  static void relocate(Storage& from, Storage* to) noexcept {
    if constexpr (kFits<Kept>) {
      Kept* const kept = inside<Kept>(from);
      if (to != nullptr) ::new (static_cast<void*>(to->inside)) Kept(std::move(*kept));
      std::destroy_at(kept);
    } else if (to != nullptr) {
      to->outside = from.outside;
    } else {
      delete static_cast<Kept*>(from.outside);
    }
  }

  [[noreturn]] static Result call_nothing(Storage& /*storage*/, Passed<Arguments>... /*arguments*/) {
    std::fputs("fanfare: an empty UniqueFunction was called\n", stderr);
    std::abort();
  }

  // Precondition: this function is empty.
  void take(UniqueFunction& other) noexcept {
    if (other.relocate_ == nullptr) return;
    other.relocate_(other.storage_, &storage_);
    call_ = std::exchange(other.call_, &call_nothing);
    relocate_ = std::exchange(other.relocate_, nullptr);
  }

  Storage storage_{};
  Result (*call_)(Storage&, Passed<Arguments>...) = &call_nothing;
  void (*relocate_)(Storage& from, Storage* to) noexcept = nullptr;  // null: empty
};

}  // namespace fanfare
