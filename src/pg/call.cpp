#include "pg/call.hpp"

#include <exception>
#include <string_view>

namespace snapback::pg {

namespace {
int live_count = 0;
}

int live_errors() noexcept { return live_count; }

error::~error() {
  if (context_ == nullptr) return;
  --live_count;
  MemoryContextDelete(context_);
}

int error::code() const noexcept { return data_ ? data_->sqlerrcode : ERRCODE_OUT_OF_MEMORY; }

std::string error::sqlstate() const {
  std::string text(5, '0');
  int value = code();
  for (auto& c : text) {
    c = static_cast<char>(PGUNSIXBIT(value));
    value >>= 6;
  }
  return text;
}

std::string error::message() const { return data_ && data_->message ? data_->message : "out of memory"; }
bool error::is_lock_shortage() const noexcept {
  return data_ && data_->sqlerrcode == ERRCODE_OUT_OF_MEMORY && data_->filename && std::string_view(data_->filename) == "lock.c";
}
std::string error::detail() const { return data_ && data_->detail ? data_->detail : ""; }

ErrorData* error::release(MemoryContext owner) noexcept {
  if (context_ == nullptr) return nullptr;
  MemoryContextSetParent(context_, owner);
  --live_count;
  context_ = nullptr;
  return data_;
}

namespace detail {

void throw_captured() {
  MemoryContext volatile context = nullptr;
  ErrorData* volatile data = nullptr;
  {
    // copying the error needs memory, and running out of it raises again
    ServerState state;
    sigjmp_buf jump;
    if (sigsetjmp(jump, 0) == 0) {
      PG_exception_stack = &jump;
      context = AllocSetContextCreate(TopMemoryContext, "pg_snapback captured error", ALLOCSET_SMALL_SIZES);
      MemoryContext old = MemoryContextSwitchTo(context);
      data = CopyErrorData();
      MemoryContextSwitchTo(old);
    } else {
      state.restore();
      if (context != nullptr) MemoryContextDelete(context);
      context = nullptr;
      data = nullptr;
    }
  }
  FlushErrorState();
  if (context != nullptr) ++live_count;
  throw error(context, data);
}

namespace {

int make_code(const char* state) { return MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4]); }

// Cut to the size. Bytes that are no character, as a cut may leave them, become question marks: the server would fail to send them to a client of another encoding.
template <std::size_t size>
void put_text(char (&target)[size], const char* text) {
  strlcpy(target, text, size);
  char* at = target;
  for (int left = static_cast<int>(strlen(at)); left > 0;) {
    const int valid = pg_encoding_verifymbstr(GetDatabaseEncoding(), at, left);
    if (valid == left) break;
    at[valid] = '?';
    at += valid + 1;
    left -= valid + 1;
  }
}

void fill(Failure& failure, int code, const char* message, const char* detail, const char* hint) {
  failure.code = code;
  put_text(failure.message, message);
  put_text(failure.detail, detail);
  put_text(failure.hint, hint);
  failure.log_detail[0] = '\0';
}

}  // namespace

void describe_current_exception(Failure& failure, MemoryContext entry_context) noexcept {
  failure.data = nullptr;
  fill(failure, ERRCODE_INTERNAL_ERROR, "unexpected exception", "", "");
  try {
    throw;
  } catch (pg::error& e) {
    failure.data = e.release(entry_context);
    if (failure.data == nullptr) fill(failure, ERRCODE_OUT_OF_MEMORY, "out of memory", "", "");
  } catch (const snapback::error& e) {
    fill(failure, make_code(e.sqlstate()), e.message().c_str(), e.detail().c_str(), e.hint().c_str());
    put_text(failure.log_detail, e.log_detail().c_str());
  } catch (const std::bad_alloc&) {
    fill(failure, ERRCODE_OUT_OF_MEMORY, "out of memory", "Failed in C++ code of pg_snapback.", "");
  } catch (const std::exception& e) {
    fill(failure, ERRCODE_INTERNAL_ERROR, "unexpected exception in pg_snapback", e.what(), "");
  } catch (...) {
  }
}

void raise(const Failure& failure) {
  if (failure.data != nullptr) ReThrowError(failure.data);
  ereport(ERROR, (errcode(failure.code), errmsg_internal("%s", failure.message),
                  failure.detail[0] ? errdetail_internal("%s", failure.detail) : 0,
                  failure.log_detail[0] ? errdetail_log("%s", failure.log_detail) : 0, failure.hint[0] ? errhint("%s", failure.hint) : 0));
}

}  // namespace detail
}  // namespace snapback::pg
