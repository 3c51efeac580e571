#include "pg/caches.hpp"

#include "pg/call.hpp"

extern "C" {
#include "utils/inval.h"
}

namespace snapback::pg {

namespace {

// About 2.5 MB of caches; reading the server's own entries anew takes some milliseconds.
constexpr int remembered_relations = 250;

}  // namespace

void relation_visited() {
  static int visited = 0;
  if (++visited < remembered_relations) return;
  visited = 0;
  call([] { InvalidateSystemCaches(); });
}

}  // namespace snapback::pg
