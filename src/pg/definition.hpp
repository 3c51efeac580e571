// Pieces of SQL that come from a backup and become part of a statement: each has to be, by itself, what it is called. Nothing is looked up and nothing is run.
#pragma once

#include <string>

namespace snapback::pg {

// Each is parsed alone. True when the text is exactly one of these; false, or an error of the parser (class 42, 22 or 0A), when it is anything else or more.
bool is_type_name(const std::string& text);             // integer, schema.type(3)[]
bool is_expression(const std::string& text);            // what may stand between parentheses
bool is_collation(const std::string& text);             // behind COLLATE
bool is_partition_key(const std::string& text);         // behind PARTITION BY
bool is_partition_bound(const std::string& text);       // FOR VALUES ... or DEFAULT, of constants only: the server would evaluate anything else
bool is_index_definition(const std::string& text);      // behind CREATE INDEX ... ON table
// Behind ADD CONSTRAINT name; `kind` as a backup has it: primary key, unique, check, exclusion or foreign key.
bool is_constraint(const std::string& text, const std::string& kind);

}  // namespace snapback::pg
