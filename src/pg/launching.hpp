// What only the launcher needs of the server.
#pragma once

#include <optional>
#include <vector>

#include "pg/worker.hpp"

namespace snapback::pg {

// From _PG_init: registers the launcher when the library is being preloaded.
void register_launcher();

// First call in the launcher: signals, connection to no database.
void begin_launcher();

// Reads the configuration again when the server was told to.
void reload_settings();

// OIDs of the databases that are no templates and take connections.
std::vector<Oid> connectable_databases();

// A worker whose end wakes this process.
class WatchedWorker {
 public:
  explicit WatchedWorker(void* handle) : handle_(handle) {}
  // True once: then the worker is forgotten.
  bool ended() const;

 private:
  void* handle_;  // of the server, in TopMemoryContext until the end
};

// None when no slot is free.
std::optional<WatchedWorker> start_watched_worker(const char* function, const char* type, const WorkerTask& task);

}  // namespace snapback::pg
