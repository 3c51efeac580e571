// Where the server's lookup structures of a reader or writer live.
#pragma once

#include "pg/call.hpp"

namespace snapback::pg::values {

// A memory context, child of the one current at construction, that may go with its parent before its owner does: then the destructor leaves it alone.
class OwnedContext {
 public:
  explicit OwnedContext(const char* name) {
    call([&] {
      // the usual macro wants a literal for the name
      context_ = AllocSetContextCreateInternal(CurrentMemoryContext, name, ALLOCSET_SMALL_SIZES);
      hook_ = static_cast<Hook*>(MemoryContextAlloc(context_, sizeof(Hook)));
      hook_->owner = this;
      hook_->callback.func = [](void* argument) {
        auto* owner = static_cast<Hook*>(argument)->owner;
        if (owner != nullptr) owner->context_ = nullptr;
      };
      hook_->callback.arg = hook_;
      MemoryContextRegisterResetCallback(context_, &hook_->callback);
    });
  }
  ~OwnedContext() {
    if (context_ == nullptr) return;
    hook_->owner = nullptr;
    MemoryContextDelete(context_);
  }
  OwnedContext(const OwnedContext&) = delete;
  OwnedContext& operator=(const OwnedContext&) = delete;
  MemoryContext get() const { return context_; }

 private:
  struct Hook {
    MemoryContextCallback callback;
    OwnedContext* owner;
  };
  MemoryContext context_ = nullptr;
  Hook* hook_ = nullptr;
};

}  // namespace snapback::pg::values
