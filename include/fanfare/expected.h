#pragma once
// A value or an error: std::expected for programs that are also compiled as C++20.
//
//   if (const auto started = server.start(); !started) return fail(started.error().message);
//
// Where the standard library has std::expected (C++23), the two types convert implicitly into each other, and
// std::unexpected may be returned wherever Unexpected may. Size, layout and symbols are the same in C++20 and
// C++23, so a C++20 program can link a library that was compiled as C++23. Plain data; any thread.

#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <version>

#include "fanfare/export.h"

#ifdef __cpp_lib_expected
#include <expected>
#endif

namespace fanfare {

// Thrown by Expected::value() when it holds an error; programs without exceptions abort.
class FANFARE_EXPORT BadExpectedAccess final : public std::exception {
 public:
  const char* what() const noexcept override { return "fanfare: value() of an Expected that holds an error"; }
};

// The reason why there is no value; converts to every Expected with this error type.
template <typename E>
class Unexpected {
 public:
  template <typename G = E>
    requires(!std::is_same_v<std::remove_cvref_t<G>, Unexpected> && std::is_constructible_v<E, G>)
  constexpr explicit Unexpected(G&& error) : error_(std::forward<G>(error)) {}

  constexpr const E& error() const& noexcept { return error_; }
  constexpr E& error() & noexcept { return error_; }
  constexpr E&& error() && noexcept { return std::move(error_); }

  friend constexpr bool operator==(const Unexpected& left, const Unexpected& right) {
    return left.error_ == right.error_;
  }

#ifdef __cpp_lib_expected
  template <typename T, typename G>
    requires std::is_constructible_v<G, const E&>
  constexpr operator std::expected<T, G>() const& {
    return std::unexpected<G>(error_);
  }
  template <typename T, typename G>
    requires std::is_constructible_v<G, E>
  constexpr operator std::expected<T, G>() && {
    return std::unexpected<G>(std::move(error_));
  }
#endif

 private:
  E error_;
};

template <typename E>
Unexpected(E) -> Unexpected<E>;

template <typename T, typename E>
class Expected;

namespace detail {

// True for errors and other results, which an Expected never holds as its value.
template <typename>
inline constexpr bool is_outcome = false;
template <typename E>
inline constexpr bool is_outcome<Unexpected<E>> = true;
template <typename T, typename E>
inline constexpr bool is_outcome<Expected<T, E>> = true;
#ifdef __cpp_lib_expected
template <typename E>
inline constexpr bool is_outcome<std::unexpected<E>> = true;
template <typename T, typename E>
inline constexpr bool is_outcome<std::expected<T, E>> = true;
#endif

[[noreturn]] inline void throw_bad_expected_access() {
#ifdef __cpp_exceptions
  throw BadExpectedAccess();
#else
  std::abort();
#endif
}

}  // namespace detail

// As std::expected<T, E>: *, -> and error() require the matching state; value() checks it.
template <typename T, typename E>
class Expected {
  static_assert(std::is_object_v<T> && std::is_object_v<E>, "a reference cannot be held");
  // An assignment that throws halfway would leave neither value nor error.
  static_assert(std::is_nothrow_move_constructible_v<E>, "an error must move without throwing");

 public:
  using value_type = T;
  using error_type = E;
  using unexpected_type = Unexpected<E>;

  constexpr Expected()
    requires std::is_default_constructible_v<T>
  = default;

  template <typename U = T>
    requires(!detail::is_outcome<std::remove_cvref_t<U>> &&
             !std::is_same_v<std::remove_cvref_t<U>, std::in_place_t> && std::is_constructible_v<T, U>)
  constexpr explicit(!std::is_convertible_v<U, T>) Expected(U&& value)
      : held_(std::in_place_index<0>, std::forward<U>(value)) {}

  template <typename... Arguments>
    requires std::is_constructible_v<T, Arguments...>
  constexpr explicit Expected(std::in_place_t, Arguments&&... arguments)
      : held_(std::in_place_index<0>, std::forward<Arguments>(arguments)...) {}

  template <typename G>
    requires std::is_constructible_v<E, const G&>
  constexpr Expected(const Unexpected<G>& why) : held_(std::in_place_index<1>, why.error()) {}
  template <typename G>
    requires std::is_constructible_v<E, G>
  constexpr Expected(Unexpected<G>&& why) : held_(std::in_place_index<1>, std::move(why).error()) {}

  template <typename U, typename G>
    requires(std::is_constructible_v<T, const U&> && std::is_constructible_v<E, const G&> &&
             !std::is_same_v<Expected<U, G>, Expected>)
  constexpr explicit(!std::is_convertible_v<const U&, T> || !std::is_convertible_v<const G&, E>)
      Expected(const Expected<U, G>& other)
      : held_(taken(other)) {}
  template <typename U, typename G>
    requires(std::is_constructible_v<T, U> && std::is_constructible_v<E, G> &&
             !std::is_same_v<Expected<U, G>, Expected>)
  constexpr explicit(!std::is_convertible_v<U, T> || !std::is_convertible_v<G, E>)
      Expected(Expected<U, G>&& other)
      : held_(taken(std::move(other))) {}

#ifdef __cpp_lib_expected
  template <typename G>
    requires std::is_constructible_v<E, const G&>
  constexpr Expected(const std::unexpected<G>& why) : held_(std::in_place_index<1>, why.error()) {}
  template <typename G>
    requires std::is_constructible_v<E, G>
  constexpr Expected(std::unexpected<G>&& why) : held_(std::in_place_index<1>, std::move(why).error()) {}

  template <typename U, typename G>
    requires(std::is_constructible_v<T, const U&> && std::is_constructible_v<E, const G&>)
  constexpr explicit(!std::is_convertible_v<const U&, T> || !std::is_convertible_v<const G&, E>)
      Expected(const std::expected<U, G>& other)
      : held_(taken(other)) {}
  template <typename U, typename G>
    requires(std::is_constructible_v<T, U> && std::is_constructible_v<E, G>)
  constexpr explicit(!std::is_convertible_v<U, T> || !std::is_convertible_v<G, E>)
      Expected(std::expected<U, G>&& other)
      : held_(taken(std::move(other))) {}

  constexpr operator std::expected<T, E>() const& {
    if (has_value()) return std::expected<T, E>(std::in_place, **this);
    return std::unexpected<E>(error());
  }
  constexpr operator std::expected<T, E>() && {
    if (has_value()) return std::expected<T, E>(std::in_place, *std::move(*this));
    return std::unexpected<E>(std::move(*this).error());
  }
#endif

  constexpr bool has_value() const noexcept { return held_.index() == 0; }
  constexpr explicit operator bool() const noexcept { return has_value(); }

  constexpr const T& operator*() const& noexcept { return *std::get_if<0>(&held_); }
  constexpr T& operator*() & noexcept { return *std::get_if<0>(&held_); }
  constexpr T&& operator*() && noexcept { return std::move(*std::get_if<0>(&held_)); }
  constexpr const T* operator->() const noexcept { return std::get_if<0>(&held_); }
  constexpr T* operator->() noexcept { return std::get_if<0>(&held_); }

  constexpr const T& value() const& { return checked(), **this; }
  constexpr T& value() & { return checked(), **this; }
  constexpr T&& value() && { return checked(), *std::move(*this); }

  constexpr const E& error() const& noexcept { return *std::get_if<1>(&held_); }
  constexpr E& error() & noexcept { return *std::get_if<1>(&held_); }
  constexpr E&& error() && noexcept { return std::move(*std::get_if<1>(&held_)); }

  template <typename U>
  constexpr T value_or(U&& otherwise) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(otherwise));
  }
  template <typename U>
  constexpr T value_or(U&& otherwise) && {
    return has_value() ? *std::move(*this) : static_cast<T>(std::forward<U>(otherwise));
  }

  // Destroys the current value or error and constructs a value.
  template <typename... Arguments>
    requires std::is_nothrow_constructible_v<T, Arguments...>
  constexpr T& emplace(Arguments&&... arguments) noexcept {
    return held_.template emplace<0>(std::forward<Arguments>(arguments)...);
  }

  friend constexpr bool operator==(const Expected& left, const Expected& right) {
    return left.held_ == right.held_;
  }
  template <typename U>
    requires(!detail::is_outcome<U>)
  friend constexpr bool operator==(const Expected& left, const U& right) {
    return left.has_value() && static_cast<bool>(*left == right);
  }
  friend constexpr bool operator==(const Expected& left, const Unexpected<E>& right) {
    return !left.has_value() && static_cast<bool>(left.error() == right.error());
  }

 private:
  using Held = std::variant<T, E>;

  template <typename Other>
  static constexpr Held taken(Other&& other) {
    if (other.has_value()) return Held(std::in_place_index<0>, *std::forward<Other>(other));
    return Held(std::in_place_index<1>, std::forward<Other>(other).error());
  }
  constexpr void checked() const {
    if (!has_value()) detail::throw_bad_expected_access();
  }

  Held held_;
};

// Success without a value, or an error.
template <typename E>
class Expected<void, E> {
 public:
  using value_type = void;
  using error_type = E;
  using unexpected_type = Unexpected<E>;

  constexpr Expected() = default;
  constexpr explicit Expected(std::in_place_t) {}

  template <typename G>
    requires std::is_constructible_v<E, const G&>
  constexpr Expected(const Unexpected<G>& why) : error_(std::in_place, why.error()) {}
  template <typename G>
    requires std::is_constructible_v<E, G>
  constexpr Expected(Unexpected<G>&& why) : error_(std::in_place, std::move(why).error()) {}

  template <typename G>
    requires(std::is_constructible_v<E, const G&> && !std::is_same_v<G, E>)
  constexpr explicit(!std::is_convertible_v<const G&, E>) Expected(const Expected<void, G>& other) {
    if (!other) error_.emplace(other.error());
  }
  template <typename G>
    requires(std::is_constructible_v<E, G> && !std::is_same_v<G, E>)
  constexpr explicit(!std::is_convertible_v<G, E>) Expected(Expected<void, G>&& other) {
    if (!other) error_.emplace(std::move(other).error());
  }

#ifdef __cpp_lib_expected
  template <typename G>
    requires std::is_constructible_v<E, const G&>
  constexpr Expected(const std::unexpected<G>& why) : error_(std::in_place, why.error()) {}
  template <typename G>
    requires std::is_constructible_v<E, G>
  constexpr Expected(std::unexpected<G>&& why) : error_(std::in_place, std::move(why).error()) {}

  template <typename G>
    requires std::is_constructible_v<E, const G&>
  constexpr explicit(!std::is_convertible_v<const G&, E>) Expected(const std::expected<void, G>& other) {
    if (!other) error_.emplace(other.error());
  }
  template <typename G>
    requires std::is_constructible_v<E, G>
  constexpr explicit(!std::is_convertible_v<G, E>) Expected(std::expected<void, G>&& other) {
    if (!other) error_.emplace(std::move(other).error());
  }

  constexpr operator std::expected<void, E>() const& {
    if (has_value()) return {};
    return std::unexpected<E>(error());
  }
  constexpr operator std::expected<void, E>() && {
    if (has_value()) return {};
    return std::unexpected<E>(std::move(*this).error());
  }
#endif

  constexpr bool has_value() const noexcept { return !error_.has_value(); }
  constexpr explicit operator bool() const noexcept { return has_value(); }
  constexpr void operator*() const noexcept {}
  constexpr void value() const {
    if (!has_value()) detail::throw_bad_expected_access();
  }

  constexpr const E& error() const& noexcept { return *error_; }
  constexpr E& error() & noexcept { return *error_; }
  constexpr E&& error() && noexcept { return *std::move(error_); }

  constexpr void emplace() noexcept { error_.reset(); }

  friend constexpr bool operator==(const Expected& left, const Expected& right) {
    return left.error_ == right.error_;
  }
  friend constexpr bool operator==(const Expected& left, const Unexpected<E>& right) {
    return !left.has_value() && static_cast<bool>(left.error() == right.error());
  }

 private:
  std::optional<E> error_;
};

}  // namespace fanfare
