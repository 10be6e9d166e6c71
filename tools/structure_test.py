"""Where classes and functions begin and end, on the shapes that this tree uses."""

import unittest

import structure


def functions(text):
    return [(function.name, function.lines) for function in structure.parse(text)[1]]


def classes(text):
    return [(found.name, found.lines) for found in structure.parse(text)[0]]


class Structure(unittest.TestCase):
    def test_functions_in_and_outside_of_classes(self):
        text = """namespace a::b {
class Loop final : public Base<int> {
 public:
  Loop() = default;
  int now() const { return now_; }
  template <typename Visit>
    requires(sizeof(Visit) > 1)
  void each(Visit&& visit) {
    for (int i : list_) visit(i);
  }
  std::function<void()> later = {};

 private:
  struct Inner {
    int x{};
  };
  int now_{0};
};
int Loop::later(int a,
                int b) {
  if (a) {
    return b;
  }
  return [] { return 1; }();
}
}  // namespace a::b
"""
        self.assertEqual(functions(text), [("Loop::now", 1), ("Loop::each", 5), ("Loop::later", 7)])
        self.assertEqual(classes(text), [("Loop::Inner", 3), ("Loop", 17)])

    def test_constructors_with_initializers(self):
        text = """Server::Server(Options options)
    : options_(std::move(options)), gate_{options_.gate}, list_{{1, 2}} {
  start();
}
Server::~Server() { stop(); }
Server::Thread::Thread() noexcept : a_{1} {}
"""
        self.assertEqual(functions(text), [("Server::Server", 4), ("Server::~Server", 1), ("Server::Thread::Thread", 1)])

    def test_braces_that_are_no_functions(self):
        text = """constexpr std::array<int, 2> kTable = {1, 2};
enum class Kind : std::uint8_t { a, b };
const auto made = make({.x = 1, .f = [](int) { return 1; }});
static const std::map<std::string, int> kMap{{"a", 1}};
extern "C" {
int f() { return 1; }
}
"""
        self.assertEqual(functions(text), [("f", 1)])
        self.assertEqual(classes(text), [])

    def test_operators_and_results(self):
        text = """bool operator==(const A& a, const A& b) { return true; }
A& A::operator=(A&& other) noexcept { return *this; }
int A::operator()(int x) const { return x; }
std::expected<void, Error> A::start() { return {}; }
auto A::run(int x) -> std::vector<int> { return {x}; }
[[nodiscard]] static const char* name_of(Kind kind) { return ""; }
"""
        self.assertEqual([name for name, _ in functions(text)],
                         ["operator==", "A::operator=", "A::operator()", "A::start", "A::run", "name_of"])

    def test_comments_literals_and_macros_hide_braces(self):
        text = """int f() {  // {
  /* } */ const char* text = "}" R"(}})";
  const char brace = '{';
  return 1'000;
}
#define OPEN {
int g() { return 2; }
"""
        self.assertEqual(functions(text), [("f", 5), ("g", 1)])

    def test_marked_and_templated_classes(self):
        text = """class FANFARE_EXPORT Server {
};
template <typename T>
struct std::hash<a::Id<T>> {
};
struct alignas(64) Cell {
};
struct Server::Thread {
};
"""
        self.assertEqual([name for name, _ in classes(text)], ["Server", "std::hash", "Cell", "Server::Thread"])


class ClassesOverFiles(unittest.TestCase):
    def test_members_count_wherever_they_are_defined(self):
        header = "class A {\n  int f();\n  int g();\n};\n"
        lines = structure.count_classes([
            ("src/net/a.h", header), ("src/net/a.cc", "int A::f() {\n  return 1;\n}\n"),
            ("src/net/a_more.cc", "int A::g() {\n  return 1;\n}\nint h() {\n  return 1;\n}\n"),
            ("src/ws/a.cc", "int A::f() {\n  return 1;\n}\n")])
        self.assertEqual(lines[("src/net", "A")], 10)

    def test_a_public_class_is_implemented_elsewhere(self):
        lines = structure.count_classes([("include/fanfare/a.h", "class A {\n  int f();\n};\n"),
                                         ("src/api/a.cc", "int A::f() {\n  return 1;\n}\n")])
        self.assertEqual(lines[("include/fanfare", "A")], 6)

    def test_unnamed_namespaces_keep_classes_apart(self):
        text = "namespace {\nclass A {\n  int f();\n};\nint A::f() { return 1; }\n}\n"
        lines = structure.count_classes([("src/net/a.cc", text), ("src/net/b.cc", text)])
        self.assertEqual(lines, {("src/net/a.cc", "A"): 4, ("src/net/b.cc", "A"): 4})


if __name__ == "__main__":
    unittest.main()
