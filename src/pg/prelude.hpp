#pragma once

// What core/prelude.hpp is to core, this is to all other sources: the heavy headers, the server's among them, compiled once by the
// Makefile. Each source still includes what it uses.

#include "core/prelude.hpp"
#include "pg/pg.hpp"
