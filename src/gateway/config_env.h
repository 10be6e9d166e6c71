#pragma once
// `${NAME}` in a value of the configuration, taken from the environment.
//
//   ${NAME}             the variable; an error if it is not set
//   ${NAME:-default}    the variable, or the text up to the next `}` if it is unset or empty
//   $${                 a literal `${`
//
// It works on values that YAML has already been read from, so that a value can never change the structure.

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace fanfare::gateway {

// Empty if the variable is not set.
using EnvironmentLookup = std::function<std::optional<std::string>(std::string_view name)>;

struct Expanded {
  std::string text;
  bool substituted = false;  // something was taken from the environment, or its default
};

// The error says what is wrong, to be put behind the name of the key.
std::expected<Expanded, std::string> expand_environment(std::string_view value,
                                                        const EnvironmentLookup& lookup);

// The environment of this process. Not to be used while another thread changes it.
std::optional<std::string> process_environment(std::string_view name);

}  // namespace fanfare::gateway
