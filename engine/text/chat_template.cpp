// CPython's jinja2 behind the engine's interface; the only file that sees pybind11. The interpreter is started once and lives as
// long as the process, because CPython's extension modules do not survive a second start; engines come and go on any thread and
// hold the interpreter's lock only while they use it.
#include "engine/text/chat_template.hpp"

#include <pybind11/embed.h>

#include <optional>
#include <utility>

#include "chat_template.py.hpp"
#include "engine/text/template_watchdog.hpp"

namespace py = pybind11;

namespace troupe::text {
namespace {

// 5 s: compiling happens once, at loading, of a file that the operator chose; the largest known templates take 50 ms.
constexpr std::chrono::milliseconds compile_time{5000};

/// Debian's python3 and its packages only: no environment variable, user folder, virtual environment or PATH has a say.
std::optional<std::string> start_interpreter() {
  PyPreConfig before;
  PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1;
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  config.write_bytecode = 0;
  config.install_signal_handlers = 0;
  PyStatus status = Py_PreInitialize(&before);
  if (!PyStatus_Exception(status)) status = PyConfig_SetBytesString(&config, &config.program_name, "/usr/bin/python3");
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) return std::string("Python did not start: ") + (status.err_msg != nullptr ? status.err_msg : "");
  // From here on every use takes the lock; this thread may end.
  PyEval_SaveThread();
  return std::nullopt;
}

/// The module made of chat_template.py; never destroyed, like the interpreter. Needs the interpreter's lock.
py::module_* load_module() {
  py::module_::import("sys").attr("path").attr("append")("/usr/lib/python3/dist-packages");
  auto* made = new py::module_(py::reinterpret_steal<py::module_>(PyModule_New("troupe_chat_template")));
  made->attr("__builtins__") = py::module_::import("builtins");
  const py::object code = py::module_::import("builtins").attr("compile")(chat_template_python, "chat_template.py", "exec");
  py::module_::import("builtins").attr("exec")(code, made->attr("__dict__"));
  return made;
}

struct interpreter {
  std::optional<std::string> fault;
  py::module_* module = nullptr;
};

const interpreter& shared_interpreter() {
  static const interpreter one = [] {
    interpreter made;
    made.fault = start_interpreter();
    if (made.fault) return made;
    py::gil_scoped_acquire lock;
    try {
      made.module = load_module();
    } catch (const py::error_already_set& error) {
      made.fault = std::string("jinja2 could not be loaded: ") + error.what();
    }
    return made;
  }();
  return one;
}

errc code_of(const std::string& kind) {
  if (kind == "not_found") return errc::not_found;
  return kind == "invalid_request" ? errc::invalid_request : errc::template_failed;
}

}  // namespace

struct __attribute__((visibility("hidden"))) template_engine::state {
  explicit state(render_limits given) : limits(given), watchdog([this] { interrupt(); }) {}

  /// On the watchdog's thread.
  void interrupt() {
    const PyGILState_STATE held = PyGILState_Ensure();
    watchdog.while_armed([this] { PyThreadState_SetAsyncExc(rendering_thread, timeout.ptr()); });
    PyGILState_Release(held);
  }

  /// Calls a method that answers (kind, value) under the watchdog. Needs the interpreter's lock.
  expected<std::string> call(const char* method, const std::string& name, py::object argument, std::chrono::milliseconds time) {
    rendering_thread = PyThread_get_thread_ident();
    watchdog.arm(time);
    std::optional<failure> error;
    std::string value;
    try {
      const py::tuple answer = engine.attr(method)(name, std::move(argument));
      value = answer[1].cast<std::string>();
      if (const auto kind = answer[0].cast<std::string>(); !kind.empty()) error = failure{code_of(kind), value, {}};
    } catch (const py::error_already_set& raised) {
      const bool late = raised.matches(timeout);
      error =
          failure{errc::template_failed, late ? "the template ran longer than " + std::to_string(time.count()) + " ms" : raised.what(), {}};
    } catch (const std::exception& raised) {
      error = failure{errc::template_failed, raised.what(), {}};
    }
    watchdog.disarm();
    PyThreadState_SetAsyncExc(rendering_thread, nullptr);  // one that was set and not raised yet must not hit the next render
    if (error) return *error;
    return value;
  }

  render_limits limits;
  unsigned long rendering_thread = 0;
  py::object engine, timeout;
  template_watchdog watchdog;  // last: its thread ends before what it uses
};

template_engine::template_engine(render_limits limits) : state_(std::make_unique<state>(limits)) {
  const interpreter& python = shared_interpreter();
  if (python.fault) return;
  py::gil_scoped_acquire lock;
  state_->engine = python.module->attr("Engine")(limits.output_bytes);
  state_->timeout = python.module->attr("RenderTimeout");
}

template_engine::~template_engine() {
  if (!state_->engine) return;
  py::gil_scoped_acquire lock;
  state_->engine = state_->timeout = py::object();
}

expected<std::size_t> template_engine::add(const std::string& name, const std::string& source) {
  if (shared_interpreter().fault) return failure{errc::template_failed, *shared_interpreter().fault, {}};
  py::gil_scoped_acquire lock;
  const py::object text =
      py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(source.data(), static_cast<Py_ssize_t>(source.size()), "replace"));
  auto count = state_->call("add", name, text, compile_time);
  if (!count) return count.error();
  return static_cast<std::size_t>(std::stoul(*count));
}

expected<std::string> template_engine::render(const std::string& name, const std::string& input) {
  if (shared_interpreter().fault) return failure{errc::template_failed, *shared_interpreter().fault, {}};
  py::gil_scoped_acquire lock;
  // Not as bytes: json.loads would look for their encoding first.
  auto text = py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(input.data(), static_cast<Py_ssize_t>(input.size()), "surrogatepass"));
  if (!text) {
    PyErr_Clear();
    return failure{errc::invalid_request, "the template's input is not UTF-8", {}};
  }
  return state_->call("render", name, std::move(text), state_->limits.time);
}

}  // namespace troupe::text
