// Cap'n Proto 0.9 compares `const char*` with its strings through operators that it has the other way round only; clang 16 does not turn
// those around where operator!= is there too. Included before everything in the fuzz preset alone.
#pragma once

#include <kj/string.h>

namespace kj {
inline bool operator==(const char* left, const StringPtr& right) { return right == StringPtr(left); }
inline bool operator!=(const char* left, const StringPtr& right) { return !(left == right); }
}  // namespace kj
