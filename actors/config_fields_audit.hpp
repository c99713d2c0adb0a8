// The fields of [audit]. Internal to config*.cpp, as config_fields.hpp is.
#pragma once

#include "actors/config_fields_tiers.hpp"

namespace troupe::actors::detail {

template <class Visitor, class Section>
void audit_fields(Visitor& visit, Section& audit) {
  visit("file", audit.file);
  visit("content", audit.content, one_of{{"none", "digest", "full"}});
  visit("redact", audit.redact);
  visit("content_bytes_max", audit.content_bytes_max, within{0, 64 << 20, "bytes"});
  visit("bytes_max", audit.bytes_max, within{1 << 20, bytes_max, "bytes"});
  visit("files_max", audit.files_max, within{1, 1000, "files"});
}

}  // namespace troupe::actors::detail
