#pragma once
// Builds a stream's value from the results of a poll: constants, pointers, hexadecimal to numbers, differences for each
// second, counts, objects and lists. One thread.

#include <cstddef>
#include <expected>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "streams/json.h"
#include "streams/pointer.h"
#include "streams/spec.h"

namespace fanfare::streams {

class Mapping {
 public:
  // problem_with() has found none. The spec must outlive the mapping.
  explicit Mapping(const StreamSpec& spec);

  // `document`: an object with the result of each call. `at`: when the poll began, for differences. The error is for
  // people: "tps: there is nothing at /status/tps".
  std::expected<Json, std::string> map(const Json& document, Instant at);
  // Sets the fields of Kind::size.
  void count_sizes(Json& value) const;

 private:
  struct Sample {
    double value = 0;
    Instant at{};
  };
  // A field with its pointers parsed.
  struct Field {
    const FieldSpec* spec = nullptr;
    JsonPointer pointer;
    JsonPointer minus;
    std::vector<Field> fields;
  };
  using Mapped = std::expected<Json, std::string>;

  static std::vector<Field> compile(const std::vector<FieldSpec>& specs);
  Mapped map_all(const std::vector<Field>& fields, const Json& document);
  Mapped map_one(const Field& field, const Json& document);
  Mapped map_value(const Field& field, const Json& found, const Json& document);
  Mapped map_count(const Field& field, const Json& found, const Json& document);
  Mapped map_list(const Field& field, const Json& found);
  Mapped calculate(const Field& field, double number, const Json& document);

  const StreamSpec& spec_;
  std::vector<Field> fields_;
  std::map<const FieldSpec*, Sample> samples_;      // of the previous poll
  std::map<const FieldSpec*, Sample> new_samples_;  // of this one
  Instant at_{};
};

// "0x1a", "26" or 26 as a JSON number; every digit of an integer below 2^64 is kept. Empty: it is not a number.
std::optional<Json> as_number(const Json& value);

}  // namespace fanfare::streams
