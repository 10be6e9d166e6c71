#pragma once
// Reads the members of a request's body, a flat JSON object. The first problem is kept; it names the member.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "admin/problem.h"

namespace fanfare::admin {

class Body {
 public:
  // Other members than `known` are refused. An empty text is an empty object.
  Body(std::string_view json, std::initializer_list<std::string_view> known);

  // False: it is missing, or not of that type; the latter is a problem.
  bool read(std::string_view name, bool& out);
  bool read(std::string_view name, std::string& out);
  bool read(std::string_view name, double& out, double least, double most);
  // A problem if it is missing.
  void require(std::string_view name);

  void fail(std::string_view name, std::string_view value, std::string_view expected);
  const std::optional<Problem>& problem() const { return problem_; }

 private:
  std::optional<std::string_view> raw(std::string_view name) const;

  std::string_view json_;
  std::optional<Problem> problem_;
};

}  // namespace fanfare::admin
