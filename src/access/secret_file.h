#pragma once
// Reads files with secrets and keys. Only regular files: a pipe or a terminal could make the program wait. Errors name
// the path and the reason, never the content.

#include <cstddef>
#include <expected>
#include <string>

namespace fanfare::access {

// The whole file, at most `bytes_max`.
std::expected<std::string, std::string> read_small_file(const std::string& path, std::size_t bytes_max);

// One line, without its end: not empty, and not longer than kSecretBytesMax.
std::expected<std::string, std::string> read_secret_file(const std::string& path);

}  // namespace fanfare::access
