#include "output.h"

#include <cerrno>
#include <cstring>
#include <ostream>
#include <string>

namespace fanfare::app {

int finish_output(std::ostream& out, std::ostream& complaints, int status) {
  errno = 0;
  out.flush();
  if (out.good()) return status;
  const int code = errno;
  complaints << "fanfare: cannot write the result to standard output"
             << (code == 0 ? "" : std::string(": ") + std::strerror(code)) << "\n";
  return status == 0 ? 1 : status;
}

}  // namespace fanfare::app
