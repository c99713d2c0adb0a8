// Tools of a Responses request as templates know them: functions with plain names. Those of a namespace and free-text ("custom") tools are
// offered as functions too; what each was before is kept here, so that a call is answered in the client's own terms.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/json_reader.hpp"
#include "messages/turn.hpp"

namespace troupe::gateway {

struct offered_tool {
  std::string offered;  ///< the name in the prompt
  std::string name, space;
  bool is_custom = false;
  bool operator==(const offered_tool&) const = default;
};

/// The argument that holds a custom tool's free text.
inline constexpr std::string_view custom_argument = "input";

class offered_tools {
 public:
  /// Reads a `tools` array; kinds that run on a server of their own are skipped. May be called again with more tools; one that is there
  /// already is described anew.
  void read(const boost::json::array& tools, const std::string& path, first_failure& failed);
  /// What `other` has and this has not.
  void append_missing(offered_tools other);
  /// Chooses the names: a name that is there once stays as it is, else those in a namespace become "space__name".
  void offer(turn_prompt& prompt);

  /// By the name in the prompt; nullptr: the model has made it up.
  [[nodiscard]] const offered_tool* find(std::string_view offered) const;
  /// The name in the prompt for what the client calls so; of a tool that is not offered, the client's.
  [[nodiscard]] std::string offered_name(std::string_view name, std::string_view space) const;

 private:
  struct definition {
    offered_tool tool;
    std::string function;  ///< members behind the name: ,"description":...,"parameters":...
  };
  void read_tool(const boost::json::value& value, const std::string& path, const std::string& space, first_failure& failed);
  void add(definition made);
  /// nullptr: it is not there.
  [[nodiscard]] definition* find_exact(std::string_view name, std::string_view space);
  [[nodiscard]] bool is_taken(std::string_view offered) const;
  std::vector<definition> tools_;
};

}  // namespace troupe::gateway
