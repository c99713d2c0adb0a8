// What files and stores are held to: a part of limits.hpp, which is what to include.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace troupe::limits {

using namespace std::chrono_literals;

// files
inline constexpr std::size_t tokenizer_file_bytes_max = 256 << 20;   ///< io_failed; the largest in use has 40 MB
inline constexpr std::uint32_t vocabulary_tokens_max = 1 << 22;      ///< ids below; corrupt_data
inline constexpr std::size_t safetensors_header_bytes_max = 100 << 20;
inline constexpr std::size_t model_json_bytes_max = 16 << 20;   ///< config.json, generation_config.json, a shard index; corrupt_data
inline constexpr std::size_t model_shards_max = 4'096;          ///< weight files of one model; corrupt_data
inline constexpr std::size_t journal_record_bytes_max = 1 << 20;
inline constexpr std::size_t input_file_bytes_max = std::size_t{4} << 30;  ///< unpacked, of the replay lab; invalid_request
inline constexpr std::size_t replay_connections_max = 256;      ///< of one online replay; what is due then waits
inline constexpr std::size_t replay_errors_max = 16;            ///< different texts in its report; others are only counted
inline constexpr std::size_t message_bytes_max = 256 << 20;     ///< one actor message on the wire; larger ones are refused unread

// disk and remote store
inline constexpr std::size_t stored_payload_bytes_max = 64 << 20;    ///< of one block; too_large
inline constexpr std::size_t stored_tokens_max = 4'096;         ///< of one block; too_large
inline constexpr std::size_t disk_operations_max = 1'024;       ///< puts and gets in flight that may be configured; then busy
inline constexpr std::size_t disk_segments_max = 4'096;         ///< budget / segment size; invalid_request
inline constexpr std::size_t disk_files_open_max = 64;          ///< segments; the one unused for longest is closed
inline constexpr std::size_t stored_pins_max = 1 << 20;         ///< wished of one store, there or not; further ones are clipped
inline constexpr std::size_t remote_batch_max = 1'024;          ///< blocks of one call; the rest is busy

// stored responses
inline constexpr std::size_t responses_max = 10'000;           ///< the oldest is forgotten
inline constexpr std::size_t responses_bytes_max = 256 << 20;  ///< of their requests and answers in memory; the oldest end is forgotten
inline constexpr auto responses_age_max = 24h * 30;            ///< as OpenAI keeps them; then they are forgotten
inline constexpr std::size_t responses_waiting_max = 1'024;    ///< for the disk; of who has most a further one is not kept, a further deletion is queue_full
inline constexpr auto response_wait = 5s;                      ///< the end of an answer waits no longer for the disk and says that it is not kept; 504 to a deletion
inline constexpr std::size_t response_part_bytes = 512 << 10;  ///< of one journal record; a longer response has several
inline constexpr std::size_t response_items_listed_max = 100;  ///< input items of one answer; further ones with `after`

}  // namespace troupe::limits
