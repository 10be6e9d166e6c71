#include "base/decimal.h"

#include <locale.h>  // newlocale is POSIX

#include <clocale>
#include <cstdlib>
#include <string>

namespace fanfare {

double double_of(std::string_view number) {
  static const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
  const std::string terminated(number);
  return strtod_l(terminated.c_str(), nullptr, locale);
}

}  // namespace fanfare
