// Runs a program for which the kernel refuses io_uring, like the default seccomp profile of containers:
//
//   without_uring PROGRAM [ARGUMENTS...]
//
// The refusal also applies to all child processes. Exit status 125: the filter could not be installed.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>

namespace {

constexpr int kCannot = 125;

bool refuse_uring() {
  constexpr auto kCallNumber = static_cast<unsigned>(offsetof(seccomp_data, nr));
  std::array<sock_filter, 4> rules{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kCallNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{.len = rules.size(), .filter = rules.data()};
  // With no_new_privs, an unprivileged process may filter its own system calls.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return false;
  // Uses arguments for which a kernel with this system call returns EFAULT.
  return ::syscall(SYS_io_uring_setup, 1, nullptr) == -1 && errno == EPERM;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: without_uring PROGRAM [ARGUMENTS...]\n");
    return kCannot;
  }
  if (!refuse_uring()) {
    std::perror("without_uring: the filter");
    return kCannot;
  }
  ::execvp(argv[1], argv + 1);
  std::perror(argv[1]);
  return kCannot;
}
