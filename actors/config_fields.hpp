// One list of keys for the parser, the printer and the key listing, with unit and range. A visitor has section(), sections() and one
// operator() per kind of field. Internal to config*.cpp.
#pragma once

#include "actors/config.hpp"
#include "actors/config_fields_access.hpp"
#include "actors/config_fields_audit.hpp"
#include "actors/config_fields_tiers.hpp"

namespace troupe::actors::detail {

template <class Visitor, class Section>
void node_fields(Visitor& visit, Section& node) {
  visit("name", node.name, any_text{});
  visit("data_dir", node.data_dir);
  visit("drain_s", node.drain_s, within{0, 3600, "seconds"});
  visit("threads", node.threads, within{0, 1024, "threads"});
  visit("compute_threads", node.compute_threads, within{0, 1024, "threads"});
}

template <class Visitor, class Section>
void gateway_fields(Visitor& visit, Section& gateway) {
  visit("address", gateway.address, any_text{});
  visit("port", gateway.port, within{0, 65535, "a TCP port"});
  visit("io_threads", gateway.io_threads, within{0, 64, "threads"});
  visit("connections_max", gateway.connections_max, within{1, 1'000'000, "connections"});
  visit("body_bytes_max", gateway.body_bytes_max, within{1024, 1 << 30, "bytes"});
  visit("request_timeout_ms", gateway.request_timeout_ms, within{1, hour_ms, "milliseconds"});
  visit("sse_comment_interval_ms", gateway.sse_comment_interval_ms, within{100, hour_ms, "milliseconds"});
  visit("stream_bytes_queued_max", gateway.stream_bytes_queued_max, within{4096, 1 << 30, "bytes"});
  visit("uploads_bytes_max", gateway.uploads_bytes_max, within{1024, bytes_max, "bytes"});
  visit("conversations_max", gateway.conversations_max, within{1, 10'000'000, "sessions"});
  visit("kept_turns_max", gateway.kept_turns_max, within{1, 10'000'000, "turns"});
  visit("kept_turns_bytes_max", gateway.kept_turns_bytes_max, within{1 << 20, bytes_max, "bytes"});
  visit("tls_certificate", gateway.tls_certificate);
  visit("tls_key", gateway.tls_key);
}

template <class Visitor, class Section>
void responses_fields(Visitor& visit, Section& responses) {
  visit("count_max", responses.count_max, within{0, 10'000'000, "responses"});
  visit("bytes_max", responses.bytes_max, within{1 << 20, bytes_max, "bytes"});
  visit("age_s_max", responses.age_s_max, within{1, 365 * day_s, "seconds"});
}

template <class Visitor, class Section>
void model_fields(Visitor& visit, Section& model) {
  visit("path", model.path);
  visit("name", model.name, optional_text{});
  visit("aliases", model.aliases);
  visit("dtype", model.dtype, one_of{{"checkpoint", "f32", "bf16"}});
  visit("context_tokens_max", model.context_tokens_max, within{0, 1 << 30, "tokens"});
  visit("chat_template", model.chat_template);
  visit("tool_format", model.tool_format, one_of{{"auto", "hermes", "qwen3_coder", "llama3", "mistral", "none"}});
  visit("merge_same_role", model.merge_same_role);
  visit("volatile_text", model.volatile_text);
}

template <class Visitor, class Section>
void worker_fields(Visitor& visit, Section& worker) {
  visit("model", worker.model, optional_text{});
  visit("backend", worker.backend, one_of{{"cpu", "timing"}});
  visit("count", worker.count, within{1, 256, "workers"});
  visit("kv_bytes", worker.kv_bytes, within{0, bytes_max, "bytes"});
  visit("blocks", worker.blocks, within{0, 1 << 30, "blocks"});
  visit("block_tokens", worker.block_tokens, within{1, 4096, "tokens"});
  visit("step_tokens_max", worker.step_tokens_max, within{1, 1 << 20, "tokens"});
  visit("prefill_chunk_max", worker.prefill_chunk_max, within{1, 1 << 20, "tokens"});
  visit("running_max", worker.running_max, within{1, 4096, "sequences"});
  visit("waiting_max", worker.waiting_max, within{1, 1 << 20, "sequences"});
  visit("timing_step_us", worker.timing_step_us, within{0, 1e9, "microseconds"});
  visit("timing_prefill_token_us", worker.timing_prefill_token_us, within{0, 1e9, "microseconds"});
  visit("timing_decode_token_us", worker.timing_decode_token_us, within{0, 1e9, "microseconds"});
  visit("timing_block_us", worker.timing_block_us, within{0, 1e9, "microseconds"});
  visit("timing_script", worker.timing_script);
}

template <class Visitor, class Section>
void admission_fields(Visitor& visit, Section& admission) {
  visit("session_wait_ms_max", admission.session_wait_ms_max, within{0, hour_ms, "milliseconds"});
}

template <class Visitor, class Section>
void router_fields(Visitor& visit, Section& router) {
  visit("behaviour", router.behaviour, any_text{});
  visit("routes_waiting_max", router.routes_waiting_max, within{1, 1 << 20, "turns"});
}

template <class Visitor, class Section>
void session_fields(Visitor& visit, Section& session) {
  visit("idle_ttl_s", session.idle_ttl_s, within{1, 365 * day_s, "seconds"});
  visit("sessions_max", session.sessions_max, within{1, 10'000'000, "sessions"});
  visit("turns_per_session_max", session.turns_per_session_max, within{1, 1024, "turns"});
}

template <class Visitor, class Section>
void template_fields(Visitor& visit, Section& chat_template) {
  visit("time_ms", chat_template.time_ms, within{1, 60'000, "milliseconds"});
  visit("output_bytes_max", chat_template.output_bytes_max, within{1024, 1 << 30, "bytes"});
  visit("waiting_max", chat_template.waiting_max, within{1, 1 << 16, "renders"});
}

template <class Visitor, class Section>
void trace_fields(Visitor& visit, Section& trace) {
  visit("file", trace.file);
}

template <class Visitor, class Section>
void log_fields(Visitor& visit, Section& log) {
  visit("level", log.level, one_of{{"trace", "debug", "info", "warn", "error", "off"}});
}

/// Each section with its table: `section` for [name], `sections` for [[name]].
template <class Visitor, class Config>
void config_sections(Visitor& visit, Config& all) {
  visit.section("node", all.node, [](auto& v, auto& s) { node_fields(v, s); });
  visit.section("gateway", all.gateway, [](auto& v, auto& s) { gateway_fields(v, s); });
  visit.section("responses", all.responses, [](auto& v, auto& s) { responses_fields(v, s); });
  visit.section("audit", all.audit, [](auto& v, auto& s) { audit_fields(v, s); });
  visit.sections("tenant", all.tenants, [](auto& v, auto& s) { tenant_fields(v, s); });
  visit.sections("key", all.keys, [](auto& v, auto& s) { key_fields(v, s); });
  visit.sections("model", all.models, [](auto& v, auto& s) { model_fields(v, s); });
  visit.sections("worker", all.workers, [](auto& v, auto& s) { worker_fields(v, s); });
  visit.section("retention", all.retention, [](auto& v, auto& s) { retention_fields(v, s); });
  visit.section("host_tier", all.host_tier, [](auto& v, auto& s) { host_tier_fields(v, s); });
  visit.section("disk_tier", all.disk_tier, [](auto& v, auto& s) { disk_tier_fields(v, s); });
  visit.section("remote_tier", all.remote_tier, [](auto& v, auto& s) { remote_tier_fields(v, s); });
  visit.section("admission", all.admission, [](auto& v, auto& s) { admission_fields(v, s); });
  visit.section("router", all.router, [](auto& v, auto& s) { router_fields(v, s); });
  visit.section("session", all.session, [](auto& v, auto& s) { session_fields(v, s); });
  visit.section("template", all.chat_template, [](auto& v, auto& s) { template_fields(v, s); });
  visit.section("trace", all.trace, [](auto& v, auto& s) { trace_fields(v, s); });
  visit.section("log", all.log, [](auto& v, auto& s) { log_fields(v, s); });
}

/// Fills what depends on other keys (names, paths, default workers) and checks what spans several. Failure: invalid_request.
expected<config> resolve_config(config value, const config_origin& origin);

/// Tenants and keys. errc::none when they hold together.
failure check_access(const config& value);

failure config_failure(const std::string& key, const std::string& problem);

}  // namespace troupe::actors::detail
