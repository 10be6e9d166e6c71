#include "program.h"

int main() {
  return run_program();
}
