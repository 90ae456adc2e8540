package dev.waymark.routing;

import java.math.BigDecimal;
import org.jspecify.annotations.Nullable;

/**
 * A statement's parameter in the hands of a {@link CrossShardEngine}, which gives it back for a
 * shard's question: so it is set there as the application has set it. An immutable value.
 */
final class EngineParameter extends Number implements Comparable<EngineParameter> {
  private static final long serialVersionUID = 1;

  private final int number;

  /** Null if it is no whole number of 64 bits. */
  private final transient @Nullable Long whole;

  private EngineParameter(int number, @Nullable Long whole) {
    this.number = number;
    this.whole = whole;
  }

  static EngineParameter of(BoundValues values, int number) {
    Object value = values.apply(number);
    Long whole = null;
    try {
      whole = value == null ? null : new BigDecimal(value.toString()).longValueExact();
    } catch (ArithmeticException | NumberFormatException other) {
      // Then no key, and nobody asks.
    }
    return new EngineParameter(number, whole);
  }

  /** Counted from 1. */
  int number() {
    return number;
  }

  /**
   * The number it holds.
   *
   * @throws ArithmeticException if it holds none
   */
  @Override
  public long longValue() {
    if (whole == null) {
      throw new ArithmeticException("Parameter " + number + " is no whole number");
    }
    return whole;
  }

  @Override
  public int intValue() {
    return Math.toIntExact(longValue());
  }

  @Override
  public float floatValue() {
    return longValue();
  }

  @Override
  public double doubleValue() {
    return longValue();
  }

  @Override
  public int compareTo(EngineParameter other) {
    return whole == null || other.whole == null
        ? Integer.compare(number, other.number)
        : whole.compareTo(other.whole);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof EngineParameter same && same.number == number;
  }

  @Override
  public int hashCode() {
    return number;
  }

  /** The number it holds, by which ShardingSphere makes one of another class. */
  @Override
  public String toString() {
    return whole == null ? "parameter " + number : whole.toString();
  }
}
