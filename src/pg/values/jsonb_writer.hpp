// jsonb to JSON text.
#pragma once

#include "pg/values/out.hpp"
#include "pg/pg.hpp"

namespace snapback::pg::values {

// Writes a detoasted jsonb as the JSON value that jsonb_out shows, without its limit of 1 GB. An object whose only key is "$hex", and a jsonb that cannot be written in
// UTF-8, become {"$hex":"…"} over that text. Keys are in the order that they have in a database of encoding UTF8. May raise PostgreSQL errors.
void write_jsonb(Out& out, const void* jsonb);

}  // namespace snapback::pg::values
