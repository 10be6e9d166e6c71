#pragma once
// Reads raw JSON without building a tree. `raw` is the text of one valid value without surrounding white
// space, as Request::params or another function here returns it. Every returned view points into `raw`.
// Values are converted only on request, and only functions that return std::string allocate.
//
//   for (std::string_view address : array_elements(*member(filter, "address"))) ...
//
// Text that is not valid JSON is harmless: iteration ends early, and lookups find nothing.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace fanfare::jsonrpc {

enum class Kind { null, boolean, number, string, array, object, none };

// The kind of the value, from its first byte; `none` if `raw` is empty (a missing member) or not JSON.
Kind kind_of(std::string_view raw);

// Whether `text` is exactly one valid JSON value, nested at most `depth_max` deep; surrounding white space is
// allowed.
bool is_valid_json(std::string_view text, std::uint32_t depth_max = 128);

// The elements of an array, in order; none if `raw` is not an array.
class Elements {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;

    Iterator() = default;
    explicit Iterator(std::string_view rest) : rest_(rest) { step(); }
    std::string_view operator*() const { return element_; }
    Iterator& operator++() {
      step();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      step();
      return before;
    }
    bool operator==(const Iterator& other) const { return element_.data() == other.element_.data(); }

   private:
    void step();
    std::string_view rest_;     // the text after the element
    std::string_view element_;  // null at the end
  };

  explicit Elements(std::string_view raw);
  Iterator begin() const { return Iterator(inside_); }
  static Iterator end() { return {}; }

 private:
  std::string_view inside_;  // after the opening bracket
};

struct Member {
  std::string_view name;  // the text between the quotes, not unescaped
  std::string_view value;
  bool name_escaped = false;  // the name contains a backslash: unescape it before comparing
};

// The members of an object, in order; none if `raw` is not an object.
class Members {
 public:
  class Iterator {
   public:
    using value_type = Member;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;

    Iterator() = default;
    explicit Iterator(std::string_view rest) : rest_(rest) { step(); }
    const Member& operator*() const { return member_; }
    const Member* operator->() const { return &member_; }
    Iterator& operator++() {
      step();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      step();
      return before;
    }
    bool operator==(const Iterator& other) const {
      return member_.value.data() == other.member_.value.data();
    }

   private:
    void step();
    std::string_view rest_;
    Member member_;
  };

  explicit Members(std::string_view raw);
  Iterator begin() const { return Iterator(inside_); }
  static Iterator end() { return {}; }

 private:
  std::string_view inside_;
};

inline Elements array_elements(std::string_view raw) {
  return Elements(raw);
}
inline Members object_members(std::string_view raw) {
  return Members(raw);
}

// Element `index` of an array (0 is the first); empty if there is none. Takes time linear in the preceding
// text.
std::optional<std::string_view> element(std::string_view raw, std::size_t index);
std::size_t element_count(std::string_view raw);
// The value of the member called `name` (names are unescaped for the comparison); the last one if there are
// several.
std::optional<std::string_view> member(std::string_view raw, std::string_view name);

// The text of a string without escapes, as a view; empty for other kinds and for strings with escapes. For
// values that have no escapes in practice: addresses, hashes, quantities, names.
std::optional<std::string_view> string_value(std::string_view raw);
// The text of any string, unescaped; empty for other kinds.
std::optional<std::string> string_copy(std::string_view raw);
// An integer that fits, written without fraction or exponent.
std::optional<std::uint64_t> uint_value(std::string_view raw);
std::optional<bool> bool_value(std::string_view raw);

}  // namespace fanfare::jsonrpc
