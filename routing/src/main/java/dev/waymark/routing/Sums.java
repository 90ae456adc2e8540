package dev.waymark.routing;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.sql.SQLException;

/** Adds and divides as PostgreSQL does. Pure functions. */
final class Sums {
  /** {@code NUMERIC_MIN_SIG_DIGITS}, {@code DEC_DIGITS} and the greatest scale in numeric.c. */
  private static final int SIGNIFICANT_DIGITS = 16;

  private static final int BASE_DIGITS = 4;
  private static final int MAXIMUM_SCALE = 1_000;

  private Sums() {}

  /**
   * The sum of two values of one kind.
   *
   * @throws SQLException SQLSTATE 22003, as the server's, if it does not fit
   */
  static Object add(ColumnKind kind, Object one, Object other) throws SQLException {
    return switch (kind) {
      case WHOLE -> {
        try {
          yield Math.addExact((long) one, (long) other);
        } catch (ArithmeticException overflow) {
          throw new SQLException("bigint out of range", "22003");
        }
      }
      case DECIMAL ->
          one instanceof BigDecimal left && other instanceof BigDecimal right
              ? left.add(right)
              // Infinities of both signs are no number together, as in numeric.
              : special(one) + special(other);
      case REAL -> (float) one + (float) other;
      case DOUBLE -> (double) one + (double) other;
      default -> throw new IllegalArgumentException("Values of " + kind + " are not added");
    };
  }

  private static double special(Object decimal) {
    return decimal instanceof BigDecimal ? 0 : ((Number) decimal).doubleValue();
  }

  /** The average, of which {@code count} is at least 1. */
  static Object average(ColumnKind kind, Object sum, long count) {
    if (kind == ColumnKind.DOUBLE) {
      return ((Number) sum).doubleValue() / count;
    } else if (sum instanceof Double special) {
      return special;
    }
    BigDecimal decimal = sum instanceof BigDecimal exact ? exact : BigDecimal.valueOf((long) sum);
    return divide(decimal, BigDecimal.valueOf(count));
  }

  /**
   * A quotient with as many digits as the server's division of numerics chooses: 16 that count, and
   * not fewer behind the point than the operands ({@code select_div_scale} in numeric.c).
   */
  static BigDecimal divide(BigDecimal dividend, BigDecimal divisor) {
    int first = weight(dividend);
    int second = weight(divisor);
    int weight = first - second;
    if (leading(dividend, first) <= leading(divisor, second)) {
      weight--;
    }
    int scale = SIGNIFICANT_DIGITS - weight * BASE_DIGITS;
    scale = Math.max(scale, Math.max(dividend.scale(), divisor.scale()));
    scale = Math.min(Math.max(scale, 0), MAXIMUM_SCALE);
    return dividend.divide(divisor, scale, RoundingMode.HALF_UP);
  }

  /**
   * A floating-point number as the server writes it: {@code 2}, and not {@code 2.0}; {@code 1e+15}.
   *
   * @param digits from so many digits before the point on there is an exponent
   */
  static String text(Number value, int digits) {
    double number = value.doubleValue();
    if (Double.isNaN(number) || Double.isInfinite(number)) {
      return value.toString();
    }
    BigDecimal shortest = new BigDecimal(value.toString()).stripTrailingZeros();
    int exponent = shortest.precision() - shortest.scale() - 1;
    if (shortest.signum() == 0) {
      return 1 / number < 0 ? "-0" : "0";
    } else if (exponent >= -4 && exponent < digits) {
      return shortest.toPlainString();
    }
    String all = shortest.unscaledValue().abs().toString();
    return (shortest.signum() < 0 ? "-" : "")
        + all.charAt(0)
        + (all.length() > 1 ? "." + all.substring(1) : "")
        + "e"
        + (exponent < 0 ? "-" : "+")
        + (Math.abs(exponent) < 10 ? "0" : "")
        + Math.abs(exponent);
  }

  /** The place of the first digit to the base of 10,000 that is not zero. */
  private static int weight(BigDecimal value) {
    return value.signum() == 0
        ? 0
        : Math.floorDiv(value.precision() - value.scale() - 1, BASE_DIGITS);
  }

  private static int leading(BigDecimal value, int weight) {
    BigInteger digit = value.abs().scaleByPowerOfTen(-BASE_DIGITS * weight).toBigInteger();
    return digit.intValue();
  }
}
