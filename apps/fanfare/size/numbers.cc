#include "size/numbers.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace fanfare::app {
namespace {

std::string printed(const char* format, double number) {
  std::array<char, 400> text{};  // "%.0f" of the largest double has 309 digits
  const int size = std::snprintf(text.data(), text.size(), format, number);
  return {text.data(), static_cast<std::size_t>(size)};
}

// The largest unit that leaves at least one.
template <std::size_t Count>
std::string scaled(double number, double step, const std::array<const char*, Count>& units) {
  std::size_t unit = 0;
  while (unit + 1 < Count && number >= step) {
    number /= step;
    ++unit;
  }
  return decimal_text(number) + " " + units[unit];
}

}  // namespace

std::string whole_text(double count) {
  std::string text = printed("%.0f", std::round(count));
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string decimal_text(double number) {
  if (number >= 999.5) return whole_text(number);
  return printed("%.3g", number);
}

std::string exact_text(double number) {
  return printed("%.12g", number);
}

std::string storage_text(double bytes) {
  return scaled(bytes, 1024, std::array{"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::string bits_text(double per_second) {
  return scaled(per_second, 1000, std::array{"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s"});
}

std::string duration_text(double seconds) {
  if (seconds < 1) return decimal_text(seconds * 1000) + " ms";
  if (seconds < 120) return decimal_text(seconds) + " s";
  const double minutes = std::round(seconds / 60);
  if (minutes < 60) return whole_text(minutes) + " min";
  return whole_text(std::floor(minutes / 60)) + " h " + whole_text(std::fmod(minutes, 60)) + " min";
}

}  // namespace fanfare::app
