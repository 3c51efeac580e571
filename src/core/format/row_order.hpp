// Rows of tables whose columns are the same and stand in another order.
#pragma once

#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/interrupts.hpp"
#include "core/format/row_parser.hpp"

namespace snapback {

// The fingerprint that the rows of a table would have with their columns in the order of `columns`, which names all of them. One row is in memory at a time. Raises what the parser raises.
Fingerprint fingerprint_in_order(RowParser& rows, const std::vector<std::string>& columns, Interrupts& interrupts);

}  // namespace snapback
