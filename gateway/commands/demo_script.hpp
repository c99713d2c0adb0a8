// What the demo's agents say: made text of fixed lengths, the same at each run.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstddef>
#include <string>

namespace troupe::gateway {

boost::json::object demo_message(const char* role, std::string text);
std::string demo_system_prompt();  ///< some 9,000 bytes
boost::json::array demo_tools();
std::string demo_task(std::size_t number);
std::string demo_file(std::size_t number);  ///< a tool's result, some 1,500 bytes
std::string demo_summary();

}  // namespace troupe::gateway
