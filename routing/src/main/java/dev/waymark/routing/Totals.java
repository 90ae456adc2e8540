package dev.waymark.routing;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Count, sum, least and greatest of one group of values: parts of it from several shards can be put
 * together exactly. (Medians, percentiles and distinct counts cannot, and are not offered.) A
 * value.
 *
 * @param group what the values are grouped by; any constant where they are not
 * @param count how many values, at least 0
 * @param sum their sum, exact; zero if there are none
 * @param least empty if there are none
 * @param greatest empty if there are none
 */
public record Totals<G>(
    G group,
    long count,
    BigDecimal sum,
    Optional<BigDecimal> least,
    Optional<BigDecimal> greatest) {
  /** Checks that the parts fit together. */
  public Totals {
    Objects.requireNonNull(group, "group");
    Objects.requireNonNull(sum, "sum");
    if (count < 0) {
      throw new IllegalArgumentException("count must be at least 0, not " + count);
    }
    if (least.isPresent() != count > 0 || greatest.isPresent() != count > 0) {
      throw new IllegalArgumentException(
          "There is a least and a greatest value exactly if there are values; count is " + count);
    }
  }

  /** One value. */
  public static <G> Totals<G> of(G group, BigDecimal value) {
    return new Totals<>(group, 1, value, Optional.of(value), Optional.of(value));
  }

  /** Both together. */
  public Totals<G> plus(Totals<G> other) {
    if (!group.equals(other.group)) {
      throw new IllegalArgumentException(
          "Totals of " + group + " and of " + other.group + " cannot be put together");
    }
    return new Totals<>(
        group,
        Math.addExact(count, other.count),
        sum.add(other.sum),
        least.isEmpty() ? other.least : least.map(own -> other.least.map(own::min).orElse(own)),
        greatest.isEmpty()
            ? other.greatest
            : greatest.map(own -> other.greatest.map(own::max).orElse(own)));
  }

  /** The parts of all groups put together, in the order in which the groups first appear. */
  public static <G> List<Totals<G>> combine(Iterable<Totals<G>> parts) {
    Map<G, Totals<G>> byGroup = new LinkedHashMap<>();
    for (Totals<G> part : parts) {
      byGroup.merge(part.group(), part, Totals::plus);
    }
    return List.copyOf(byGroup.values());
  }

  /** The mean, rounded half up to so many places behind the point; empty if there are no values. */
  public Optional<BigDecimal> mean(int scale) {
    return count == 0
        ? Optional.empty()
        : Optional.of(sum.divide(BigDecimal.valueOf(count), scale, RoundingMode.HALF_UP));
  }
}
