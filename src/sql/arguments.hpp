// Arguments of SQL functions to C++ values, and results back. The only place that knows of fcinfo.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/call.hpp"
#include "pg/spi.hpp"
#include "service/repository.hpp"

namespace snapback::sql {

using pg::Cell;

// Argument `index`, none when it is NULL.
std::optional<std::string> text_argument(FunctionCallInfo fcinfo, int index);
// Raises 22023 naming the argument when it is NULL.
std::string required_text(FunctionCallInfo fcinfo, int index, const char* name);
std::optional<bool> bool_argument(FunctionCallInfo fcinfo, int index);
// Raises 22023 naming the argument when it is NULL.
bool required_bool(FunctionCallInfo fcinfo, int index, const char* name);
std::optional<int> int_argument(FunctionCallInfo fcinfo, int index);
// text[]; raises 22023 when an element is NULL or it has more than one dimension.
std::optional<std::vector<std::string>> text_list(FunctionCallInfo fcinfo, int index, const char* name);
// Raises 0A000 when an argument that a later version honours was given.
void refuse_argument(bool given, const char* function, const char* name);

// For calls that take long: keeps DROP EXTENSION waiting until the transaction ends, because the result is built by the function's catalog entry. Raises 42883 when the function was dropped while this call
// waited for a DROP EXTENSION to end.
void hold_function(FunctionCallInfo fcinfo);

// One composite value from texts, column by column.
Datum composite_result(FunctionCallInfo fcinfo, const std::vector<Cell>& row);
// A set of them.
Datum set_result(FunctionCallInfo fcinfo, const std::vector<std::vector<Cell>>& rows);
// One text value, NULL allowed.
Datum text_result(FunctionCallInfo fcinfo, const Cell& text);

// The columns of backup_info.
std::vector<Cell> backup_info_row(const service::BackupInfo& backup);

Cell boolean_cell(bool value);

}  // namespace snapback::sql
