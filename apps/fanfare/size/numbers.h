#pragma once
// Numbers for people.

#include <string>

namespace fanfare::app {

std::string whole_text(double count);       // "1,234,567", rounded
std::string decimal_text(double number);    // "0.083", "12.5": three significant digits below a thousand
std::string exact_text(double number);      // "1.0001": up to twelve significant digits
std::string storage_text(double bytes);     // "1.5 GiB"
std::string bits_text(double per_second);   // "1.5 Gbit/s"
std::string duration_text(double seconds);  // "850 ms", "12 s", "2 h 5 min"

}  // namespace fanfare::app
