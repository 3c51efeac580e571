// Giving way: a scheduled backup does not keep a change of a table's definition waiting, and with it everybody who queues up behind that.
#pragma once

#include <string>

namespace snapback::pg {

// From now on and until the end of the transaction locks are waited for at most this long (lock_timeout), and give_way() looks after others. An interval; zero: no limit.
void be_polite(const std::string& budget);
void stop_being_polite();

// To be called for every batch of rows. Five times a second it looks at the lock table: raises 55P03 when somebody has waited longer than the budget for an ACCESS EXCLUSIVE lock on a
// relation that this process has locked. Without a budget it costs a comparison.
void give_way();

}  // namespace snapback::pg
