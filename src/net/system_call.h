#pragma once
// System calls of a loop's turn, without the C library's wrappers. Those of recv(), send() and epoll_wait() are cancellation points,
// which a multithreaded program pays for twice a call, although a loop's thread is never cancelled; and syscall() moves each argument
// to another register, and the error to errno and back.

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <type_traits>

namespace fanfare::net {

namespace detail {

template <typename T>
long as_word(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}

}  // namespace detail

// What the kernel returns: the result, or an error as a negative number. `call` is a SYS_ constant.
template <typename... Arguments>
long system_call(long call, Arguments... arguments) {
  static_assert(sizeof...(Arguments) == 6, "fill up with zeros");
#if defined(__x86_64__) && defined(__LP64__)
  // The ABI: System V Application Binary Interface, AMD64, A.2.1.
  const std::array<long, 6> words{detail::as_word(arguments)...};
  register long fourth asm("r10") = words[3];
  register long fifth asm("r8") = words[4];
  register long sixth asm("r9") = words[5];
  long result = call;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(words[0]), "S"(words[1]), "d"(words[2]), "r"(fourth), "r"(fifth), "r"(sixth)
               : "rcx", "r11", "memory");
  return result;
#else
  const long result = ::syscall(call, detail::as_word(arguments)...);
  return result < 0 ? -errno : result;
#endif
}

}  // namespace fanfare::net
