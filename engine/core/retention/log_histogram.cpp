#include "engine/core/retention/log_histogram.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace troupe::core {
namespace {

constexpr double unit_max = 1e6;  // floats still tell a new value from nothing beside an old one of the same bin

int bin_of(double value) { return static_cast<int>(log_law::position_of(value)); }

}  // namespace

double log_law::position_of(double value) {
  const double position = (std::log2(std::max(value, 1e-9)) - octave_first) * steps_per_octave + 0.5;
  return std::clamp(position, 0.0, bins - 1e-6);
}

double log_law::value_at(double position) { return std::exp2((position - 0.5) / steps_per_octave + octave_first); }

log_law log_law::flat(double from, double to) {
  log_law law;
  for (int bin = bin_of(from); bin <= bin_of(to); ++bin) law[bin] = 1;
  law.normalise();
  return law;
}

log_law log_law::peak(double from, double to) {
  log_law law;
  const int first = bin_of(from), last = bin_of(to);
  for (int bin = first; bin <= last; ++bin) law[bin] = std::min(bin - first, last - bin) + 1;
  law.normalise();
  return law;
}

double log_law::quantile(double share) const {
  double left = share;
  for (int bin = 0; bin < bins; ++bin) {
    const double here = (*this)[bin];
    if (here > 0 && left <= here) return value_at(bin + left / here);
    left -= here;
  }
  return value_at(bins);
}

double log_law::width_octaves() const { return std::max(std::log2(quantile(0.9) / quantile(0.1)), 1.0 / steps_per_octave); }

log_law log_law::scaled(double factor) const {
  const double shift = std::log2(factor) * steps_per_octave;
  const double whole = std::floor(shift), rest = shift - whole;
  const auto within = [](double bin) { return static_cast<int>(std::clamp(bin, 0.0, bins - 1.0)); };
  log_law law;
  for (int bin = 0; bin < bins; ++bin) {
    law[within(bin + whole)] += (*this)[bin] * (1 - rest);
    law[within(bin + whole + 1)] += (*this)[bin] * rest;
  }
  return law;
}

void log_law::mix(const log_law& other, double other_share) {
  for (int bin = 0; bin < bins; ++bin) (*this)[bin] = (*this)[bin] * (1 - other_share) + other[bin] * other_share;
}

void log_law::outlive(double passed, double doubt) {
  const double position = position_of(passed);
  const int first = static_cast<int>(position);
  double outlived = 0;
  for (int bin = 0; bin <= first; ++bin) {
    const double gone = bin < first ? (*this)[bin] : (*this)[bin] * (position - first);
    (*this)[bin] -= gone;
    outlived += gone;
  }
  double reached = 1;  // of the law without a scale, beyond the begin of the bin
  for (int bin = first; bin < bins; ++bin) {
    const double beyond = bin + 1 == bins ? 0 : std::min(1.0, passed / value_at(bin + 1));
    (*this)[bin] += doubt * outlived * (reached - beyond);
    reached = beyond;
  }
  normalise();
}

void log_law::normalise() {
  const double sum = std::accumulate(shares_.begin(), shares_.end(), 0.0);
  for (double& each : shares_) each /= sum;
}

void log_histogram::add(double value) {
  unit_ *= growth_;
  counts_[static_cast<std::size_t>(bin_of(value))] += static_cast<float>(unit_);
  sum_ += unit_;
  if (unit_ < unit_max) return;
  for (float& each : counts_) each = static_cast<float>(each / unit_);
  sum_ /= unit_;
  unit_ = 1;
}

log_law log_histogram::law() const {
  log_law law;
  for (int bin = 0; bin < log_law::bins; ++bin) law[bin] = static_cast<double>(counts_[static_cast<std::size_t>(bin)]) / sum_;
  return law;
}

double log_histogram::coarser_share() const { return 1 / std::pow(1 + weight() / 2, 2); }

}  // namespace troupe::core
