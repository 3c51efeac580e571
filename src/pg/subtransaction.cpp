#include "pg/subtransaction.hpp"

extern "C" {
#include "utils/resowner.h"
}

namespace snapback::pg {

namespace {

struct Outer {
  MemoryContext context;
  ResourceOwner owner;
};

void roll_back(const Outer& outer) {
  call([&] {
    RollbackAndReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(outer.context);
    CurrentResourceOwner = outer.owner;
  });
}

}  // namespace

bool is_data_error(const std::string& sqlstate) {
  return sqlstate.compare(0, 2, "22") == 0 || sqlstate.compare(0, 2, "23") == 0 || sqlstate == "42804" || sqlstate == "XX001";
}

std::optional<Swallowed> in_subtransaction(const std::function<void()>& body, const std::function<bool(const std::string& sqlstate)>& swallow, bool keep) {
  Outer outer{CurrentMemoryContext, CurrentResourceOwner};
  call([&] {
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(outer.context);
  });
  auto may_swallow = [&](const std::string& state) { return state != sqlstate::query_canceled && state != "57P01" && swallow(state); };
  try {
    body();
  } catch (pg::error& e) {
    roll_back(outer);
    if (!may_swallow(e.sqlstate())) throw;
    return Swallowed{e.sqlstate(), e.message(), e.detail()};
  } catch (snapback::error& e) {
    roll_back(outer);
    if (!may_swallow(e.sqlstate())) throw;
    return Swallowed{e.sqlstate(), e.message(), e.detail()};
  } catch (...) {
    roll_back(outer);
    throw;
  }
  if (keep)
    call([&] {
      ReleaseCurrentSubTransaction();
      MemoryContextSwitchTo(outer.context);
      CurrentResourceOwner = outer.owner;
    });
  else
    roll_back(outer);
  return std::nullopt;
}

}  // namespace snapback::pg
