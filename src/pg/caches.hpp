// What the server remembers of the relations it has met.
#pragma once

namespace snapback::pg {

// For loops over relations, once for each that was looked up, described, read or written. The server keeps what it read of the catalogs for a relation as long as the session lasts, about
// 10 kB for a table with its index and TOAST table. Every few hundred calls this empties those caches, as the server itself does when it has missed messages about changes. Relations that are
// open and catalog entries that are pinned stay; other pointers into the caches must not be used any more. Raises what reading the catalogs anew raises.
void relation_visited();

}  // namespace snapback::pg
