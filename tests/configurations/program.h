#pragma once

// 0 when a server and its clients talked as they should.
__attribute__((visibility("default"))) int run_program();
