// Queries of our own: everything as text, in and out. Not for user data in bulk.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/pg.hpp"

namespace snapback::pg {

using Cell = std::optional<std::string>;
using Row = std::vector<Cell>;

// Runs one read-only query with a fresh snapshot (GetLatestSnapshot), as catalogs are to be read after locking, and with search_path pg_catalog. Parameters are of type text;
// cast in the query. All rows, each value by its output function.
std::vector<Row> query(const std::string& sql, const std::vector<Cell>& parameters = {}, long limit = 0);

// The same with the snapshot that is active already.
std::vector<Row> query_active(const std::string& sql, const std::vector<Cell>& parameters = {}, long limit = 0);

// Runs one statement that may write, with search_path pg_catalog; the rows it returns. Parameters as above.
std::vector<Row> modify(const std::string& sql, const std::vector<Cell>& parameters = {});
// The same with the session's own search_path, for a function whose arguments are names of a user: the statement itself qualifies every name.
std::vector<Row> modify_as_is(const std::string& sql, const std::vector<Cell>& parameters = {});

// Runs one statement that may write. Pieces of it that come from a backup are checked before (pg/definition.hpp); more than one statement is an internal error.
void execute(const std::string& sql);

// Schemas of the caller's search path, in order, pg_catalog included.
std::vector<std::string> search_path();
// A text[] literal.
std::string array_literal(const std::vector<std::string>& items);

// Quoting for statements that are built (quote_ident, quote_literal).
std::string quote_identifier(const std::string& name);
std::string quote_literal(const std::string& text);
std::string qualified(const std::string& schema, const std::string& name);

}  // namespace snapback::pg
