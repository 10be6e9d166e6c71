// Runs a program for which the kernel refuses io_uring, like the default seccomp profile of containers:
//
//   without_uring PROGRAM [ARGUMENTS...]
//
// The refusal also applies to all child processes. Exit status 125: the filter could not be installed.

#include <sys/syscall.h>

#include <array>
#include <cerrno>

#include "refused_calls.h"

int main(int argc, char** argv) {
  std::array<sock_filter, 4> rules{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, fanfare::kCallNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  // Uses arguments for which a kernel with this system call returns EFAULT.
  const auto is_refused = [] { return ::syscall(SYS_io_uring_setup, 1, nullptr) == -1 && errno == EPERM; };
  return fanfare::run_refusing(rules, is_refused, argc, argv);
}
