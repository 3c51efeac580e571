#include "service/pending.hpp"

#include <vector>

#include "core/error.hpp"
#include "core/storage/posix_location.hpp"
#include "pg/call.hpp"
#include "pg/fault.hpp"
#include "pg/settings.hpp"
#include "service/repository.hpp"

namespace snapback::service {

namespace {

enum class When { commit, abort };

struct Action {
  When when;
  int nest_level;  // of the (sub)transaction that asked for it
  std::string directory, id;
  std::optional<bool> pinned;  // none: remove the backup
};

// Allocated on first use and kept: a static object with a destructor would be destroyed in exit() while the server still runs callbacks.
std::vector<Action>& actions() {
  static auto* list = new std::vector<Action>;
  return *list;
}

void perform(const Action& action) {
  auto location = open_posix_location(action.directory, pg::settings.file_group_read ? 0640 : 0600, "pg_snapback.storage_location");
  auto lock = location->lock(backup_file_name(action.id));
  if (action.pinned) {
    if (!lock) throw snapback::error(sqlstate::undefined_object, "backup \"" + action.id + "\" does not exist", "It was deleted before this transaction committed.");
    // read anew: a verification may have written its result meanwhile
    Sidecar sidecar = read_sidecar(*location, action.id);
    sidecar.pinned = *action.pinned;
    pg::fault_point("pin.commit");
    location->write_small(sidecar_file_name(action.id), dump_sidecar(sidecar));
    pg::fault_point("pin.written");
    return;
  }
  // the sidecar first: a file alone is still a whole backup
  pg::fault_point("remove.started");
  location->remove(sidecar_file_name(action.id));
  pg::fault_point("remove.sidecar_removed");
  location->remove(backup_file_name(action.id));
  pg::fault_point("remove.finished");
}

// What cannot be written fails the transaction, before it has committed.
void perform_pins() {
  for (auto& action : actions())
    if (action.pinned) perform(action);
  std::erase_if(actions(), [](const Action& action) { return action.pinned.has_value(); });
}

// Commit and abort have happened: nothing here may raise.
void perform_quietly(When when) noexcept {
  for (auto& action : actions()) {
    if (action.when != when) continue;
    char problem[256] = "";
    try {
      perform(action);
    } catch (const std::exception& e) {
      strlcpy(problem, e.what(), sizeof(problem));
    } catch (...) {
      strlcpy(problem, "unexpected exception", sizeof(problem));
    }
    if (problem[0]) {
      try {
        pg::call([&] { ereport(WARNING, (errmsg("could not finish the change of backup \"%s\": %s", action.id.c_str(), problem))); });
      } catch (...) {
      }
    }
  }
  actions().clear();
}

void transaction_ended(XactEvent event, void*) {
  if (actions().empty()) return;
  if (event == XACT_EVENT_PRE_PREPARE)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot PREPARE a transaction that deleted, pinned or restored a backup"),
                    errdetail("What happens to the backup's files is decided when the transaction ends in this session.")));
  if (event == XACT_EVENT_PRE_COMMIT) pg::boundary([] { perform_pins(); });
  if (event == XACT_EVENT_COMMIT) perform_quietly(When::commit);
  if (event == XACT_EVENT_ABORT) perform_quietly(When::abort);
}

void subtransaction_ended(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (actions().empty()) return;
  int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_COMMIT_SUB)
    for (auto& action : actions())
      if (action.nest_level >= level) action.nest_level = level - 1;
  if (event != SUBXACT_EVENT_ABORT_SUB) return;
  std::vector<Action> kept, undone;
  for (auto& action : actions()) (action.nest_level >= level ? undone : kept).push_back(action);
  actions() = undone;
  perform_quietly(When::abort);
  actions() = kept;
}

void subtransaction_callback(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void* argument) {
  try {
    subtransaction_ended(event, id, parent, argument);
  } catch (...) {
    // only memory can be short here; the files stay as they are
  }
}

void add(When when, const std::string& directory, const std::string& id, std::optional<bool> pinned) {
  actions().push_back({when, GetCurrentTransactionNestLevel(), directory, id, pinned});
}

}  // namespace

void register_transaction_callbacks() {
  RegisterXactCallback(transaction_ended, nullptr);
  RegisterSubXactCallback(subtransaction_callback, nullptr);
}

void remove_at_commit(const std::string& directory, const std::string& id) { add(When::commit, directory, id, std::nullopt); }

void pin_at_commit(const std::string& directory, const std::string& id, bool pinned) { add(When::commit, directory, id, pinned); }

void remove_at_abort(const std::string& directory, const std::string& id) { add(When::abort, directory, id, std::nullopt); }

}  // namespace snapback::service
