// Runs a program that may start processes but no thread. If it starts one, the kernel ends it with SIGSYS:
//
//   without_threads PROGRAM [ARGUMENTS...]
//
// The same applies to all child processes. Exit status 125: the filter could not be installed.

#include <linux/sched.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>

#include "refused_calls.h"

int main(int argc, char** argv) {
  constexpr auto kFlags = static_cast<unsigned>(offsetof(seccomp_data, args));
  std::array<sock_filter, 8> rules{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, fanfare::kCallNumber),
      // Its flags are in memory that a filter cannot read. Without it, the C library uses clone().
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kFlags),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  // A kernel with this system call returns EINVAL.
  const auto is_refused = [] { return ::syscall(SYS_clone3, nullptr, 0) == -1 && errno == ENOSYS; };
  return fanfare::run_refusing(rules, is_refused, argc, argv);
}
