#pragma once
// `${NAME}` in a value of the configuration, taken from the environment.
//
//   ${NAME}             the variable; an error if it is not set
//   ${NAME:-default}    the variable, or the text up to the next `}` if it is unset or empty
//   $${                 a literal `${`
//
// It is applied to values after YAML is parsed, so a variable can never change the structure.

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
  bool substituted = false;  // a variable or its default was inserted
};

// The error describes the problem and follows the name of the key.
std::expected<Expanded, std::string> expand_environment(std::string_view value,
                                                        const EnvironmentLookup& lookup);

// Upper-case letters, digits and underscores, as variables are usually named. Any other text in a variable's place may be a
// secret, so messages do not show it.
bool is_conventional_variable(std::string_view name);

// The environment of this process. Do not call while another thread changes it.
std::optional<std::string> process_environment(std::string_view name);

}  // namespace fanfare::gateway
