#pragma once
// Runs a program for which the kernel refuses some system calls. The refusal also applies to all child processes.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <span>

namespace fanfare {

constexpr auto kCallNumber = static_cast<unsigned>(offsetof(seccomp_data, nr));

// `is_refused` tries a refused call. Returns only if something failed, with exit status 125.
inline int run_refusing(std::span<sock_filter> rules, bool (*is_refused)(), int argc, char** argv) {
  constexpr int kCannot = 125;
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s PROGRAM [ARGUMENTS...]\n", argv[0]);
    return kCannot;
  }
  const sock_fprog program{.len = static_cast<unsigned short>(rules.size()), .filter = rules.data()};
  // With no_new_privs, an unprivileged process may filter its own system calls.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0 || !is_refused()) {
    std::perror("the filter of system calls");
    return kCannot;
  }
  ::execvp(argv[1], argv + 1);
  std::perror(argv[1]);
  return kCannot;
}

}  // namespace fanfare
