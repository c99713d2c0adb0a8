// Every queue, body, header, stream and in-flight table has its maximum here, with what happens when it is full.
// A limit that an operator may want to change is a config key whose default is named here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "messages/base/limits_store.hpp"

namespace troupe::limits {

using namespace std::chrono_literals;

// gateway
inline constexpr std::size_t connections_max = 1024;            ///< one more takes the place of a stranger or of an idle one
inline constexpr std::size_t header_bytes_max = 64 << 10;       ///< 431
inline constexpr std::size_t body_bytes_max = 64 << 20;         ///< 413
inline constexpr std::size_t uploads_bytes_max = 1 << 30;       ///< of all bodies that are being read; more is queue_full to who has most
inline constexpr std::size_t stream_bytes_queued_max = 4 << 20; ///< a slower reader is cut and its turn cancelled
inline constexpr auto header_wait = 15s;                        ///< slow writers are cut
inline constexpr auto body_wait = 60s;
inline constexpr auto write_wait = 30s;                         ///< slow readers are cut
inline constexpr auto keep_alive_wait = 75s;                    ///< an idle connection is closed
inline constexpr auto sse_comment_interval = 5s;                ///< clients give up on silence after minutes; 5 s passes every proxy
inline constexpr auto request_timeout = 10min;                  ///< default of x-request-timeout-ms
inline constexpr auto request_timeout_max = 60min;
inline constexpr auto control_wait = 10s;                       ///< for the answer to anything but a turn; then 504
inline constexpr auto linger_wait = 2s;                         ///< after a refusal the rest of a request is read and dropped this long
inline constexpr std::size_t tokenize_bytes_max = 4 << 20;      ///< 413: tokenising more would hold up an I/O thread
inline constexpr std::size_t idempotency_key_bytes_max = 255;   ///< 400
inline constexpr auto kept_turn_time = 10min;                   ///< of a turn with an idempotency key, after its end; then a repeat runs anew
inline constexpr auto kept_turn_orphan_wait = 30s;              ///< while nobody reads its answer; then it is cancelled
inline constexpr std::size_t kept_turns_max = 16'384;           ///< running or ended; one more is queue_full to the tenant that has most
inline constexpr std::size_t kept_turn_bytes_max = 16 << 20;    ///< of one answer; of a longer one the first frames are given up
inline constexpr std::size_t kept_turns_bytes_max = 256 << 20;  ///< of all; what ended first is given up, then what runs keeps its least

// requests
inline constexpr std::size_t messages_max = 20'000;             ///< 400
inline constexpr std::size_t tools_max = 1'024;                 ///< 400
inline constexpr std::size_t stop_strings_max = 16;             ///< 400
inline constexpr std::size_t stop_string_bytes_max = 1'024;     ///< 400
inline constexpr std::size_t session_id_bytes_max = 256;        ///< 400
inline constexpr std::size_t verb_id_bytes_max = 256;           ///< 400
inline constexpr std::uint32_t top_logprobs_max = 20;           ///< 400
inline constexpr std::size_t detokenize_tokens_max = 1 << 20;   ///< 413: more would hold up an I/O thread
inline constexpr std::size_t conversations_max = 1'024;         ///< sessions of conversations that nobody names; the oldest ends
inline constexpr std::size_t conversations_ended_max = 1'024;   ///< names that are not given again while their sessions may still be dying
inline constexpr std::size_t conversation_keys_max = 64;        ///< under which each of them is found again
inline constexpr std::size_t conversation_looks_max = 8;        ///< at the answers in a conversation, from its end
inline constexpr std::int32_t priority_max = 100;               ///< hints are clipped to it, either way
inline constexpr std::uint32_t tier_max = 9;                    ///< of a hint, within a class; clipped
inline constexpr std::size_t hints_reported_max = 64;           ///< in one echo; further ones are left out
inline constexpr std::size_t kv_actions_max = 256;              ///< of one kv_hints message; 400
inline constexpr int json_depth_max = 64;                       ///< 400
inline constexpr std::size_t metadata_pairs_max = 16;           ///< of a response, as OpenAI has them; 400
inline constexpr std::size_t metadata_key_chars_max = 64;       ///< 400
inline constexpr std::size_t metadata_value_chars_max = 512;    ///< 400

// access
inline constexpr std::size_t tenant_name_bytes_max = 64;        ///< of lower-case letters, digits, '-', '_' and '.'; invalid_request
inline constexpr auto quota_retry_wait = 1s;                    ///< said to whoever runs as many turns as its tenant may: turns last seconds

// answers
inline constexpr std::size_t tool_head_bytes_max = 1'024;       ///< of a tool call before its arguments, of white space around calls; then it is text
inline constexpr std::size_t tool_held_bytes_max = 256 << 10;   ///< of a call that may still be none, or of a value that may still be text; then it is text

// sessions
inline constexpr std::size_t sessions_max = 100'000;            ///< who has most is answered queue_full
inline constexpr std::size_t turns_per_session_max = 8;         ///< concurrent; one more is queue_full
inline constexpr std::size_t children_per_session_max = 10'000;
inline constexpr std::size_t session_depth_max = 32;             ///< parents above one another; 400
inline constexpr std::size_t superseded_owners_max = 4;         ///< compactions without a turn between; further ones change nothing
inline constexpr std::size_t verb_ids_remembered = 256;         ///< per session; older ids are answered `missing`
inline constexpr std::size_t worker_retries_per_turn = 4;       ///< then worker_lost
inline constexpr auto worker_retry_wait = 50ms;                 ///< before the second retry of a turn, four times that before each later one
inline constexpr std::size_t workers_per_session_max = 64;      ///< remembered; the oldest gives up the session's blocks
inline constexpr std::size_t dead_sessions_remembered = 10'000; ///< the oldest are forgotten: their next incarnation is a first one
inline constexpr std::size_t journal_growth_max = 4;            ///< times its live content, then it is written anew
inline constexpr std::size_t journal_bytes_min = 1 << 20;       ///< below this it is never written anew
inline constexpr std::size_t journal_rewrite_tail_max = 64 << 20; ///< appended while it is written anew; then an append waits for that
inline constexpr std::size_t pause_tools_max = 256;             ///< whose pauses are learned; the one that paused longest ago is forgotten
inline constexpr std::size_t wishes_per_session_max = 32;        ///< about what is kept; the oldest is dropped
inline constexpr std::uint64_t intent_generations_ahead = 256;  ///< that a journalled record covers; then it is written anew
inline constexpr auto wish_ttl_max = 1h;                        ///< a longer one is clipped
inline constexpr std::int32_t breakpoint_priority = 60;         ///< of what lies before a cache breakpoint; nobody's wish is 35
inline constexpr auto wish_ttl = 5min;                          ///< of a verb that says none, as the field's ephemeral caches
inline constexpr std::size_t role_ranges_max = 16'384;           ///< of one prompt; what lies behind has no role
inline constexpr std::size_t told_roles_max = 4'096;             ///< blocks of one answer; the rest counts as output
inline constexpr std::size_t bequest_blocks_max = 4'096;         ///< that a dead session leaves to its parent, its first ones
inline constexpr auto session_tick_max = 30s;                   ///< a session looks at its deadlines at least this often
inline constexpr auto render_request_wait = 30s;                ///< renders_waiting_max of them, at render_wait each, would be longer
inline constexpr auto admit_wait = 10s;                         ///< a worker that does not answer is lost
inline constexpr auto release_wait = 5s;                        ///< blocks freed later are not counted
inline constexpr auto verb_wait = 15s;                          ///< a death waits for its children and workers

// template renderer
inline constexpr std::size_t renders_waiting_max = 256;         ///< queue_full
inline constexpr auto render_wait = 250ms;                      ///< template_failed
inline constexpr auto render_queue_wait = 10s;                  ///< deadline_exceeded, without rendering
inline constexpr std::size_t render_output_bytes_max = 32 << 20;

// router
inline constexpr std::size_t routes_waiting_max = 4'096;        ///< queue_full
inline constexpr auto compute_lease = 30s;                      ///< then the next waiter computes
inline constexpr auto load_report_interval = 100ms;
inline constexpr auto snapshot_wait = 1s;                       ///< after a gap; then the shard asks again

// worker
inline constexpr std::size_t sequences_waiting_max = 1'024;     ///< queue_full
inline constexpr std::uint32_t output_tokens_expected = 256;    ///< of an answer of which nothing is known; recorded agents: median 224, mean 440
inline constexpr std::size_t steps_in_flight_max = 2;
inline constexpr std::size_t backend_plans_waiting_max = 64;    ///< steps and copies; further ones complete as queue_full
inline constexpr std::size_t timer_actions_max = 4'096;         ///< of the timing backend's clock; the earliest then runs at once
inline constexpr auto pause_soon = 60s;                         ///< a session counts as at work in a pause that is expected to be shorter
inline constexpr std::size_t sessions_counted_max = 100'000;    ///< at one worker; further ones neither count nor wait

// tiers
inline constexpr std::size_t offload_blocks_max = 64;           ///< in one batch of one worker; the rest waits in its queue
inline constexpr std::size_t preempted_blocks_max = offload_blocks_max;  ///< of one sequence that wait for their copies; others are computed again
inline constexpr auto leaving_copy_wait = 250ms;                ///< a turn waits no longer for copies of what it displaces
inline constexpr auto preempted_copy_wait = 250ms;              ///< whoever has taken its place waits no longer for these copies
inline constexpr auto tier_wait = 10s;                          ///< a tier that does not answer, disk and network included: blocks are computed
inline constexpr std::size_t store_loads_max = 256;             ///< a tier has so many turns wait for its stores; others do without
inline constexpr auto store_put_wait = 30s;                     ///< a store that has not written it by then is asked to give it up
inline constexpr auto store_rate_age_max = 30s;                 ///< a store that was slow is tried again when nothing newer is known of it

// trace
inline constexpr std::size_t trace_file_bytes_max = 1 << 30;    ///< then it is moved to <name>.1, whose content is lost
inline constexpr std::size_t trace_line_bytes_max = 1 << 20;    ///< a longer record is dropped and counted

inline constexpr std::size_t trace_tools_max = 32;              ///< of one turn's record; further ones are left out
inline constexpr std::size_t trace_tool_name_bytes_max = 128;   ///< a longer name is cut

// supervision
inline constexpr std::size_t restarts_max = 8;                  ///< within restart_window; then the node gives up and exits non-zero
inline constexpr auto restart_window = 60s;
inline constexpr auto status_wait = 2s;                         ///< whoever has not answered is left out of the node's status
inline constexpr auto child_end_wait = 5s;                      ///< for a node's actors to end after a drain

}  // namespace troupe::limits
