package dev.waymark.routing;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** Where a key stands in a statement. Immutable values. */
sealed interface KeyTerm {
  /** A constant. */
  record Fixed(long key) implements KeyTerm {}

  /** A parameter, counted from 1. */
  record InParameter(int number) implements KeyTerm {}

  /** A parameter, counted from 1, that holds an array of keys. */
  record InArray(int number) implements KeyTerm {}

  /** NULL, which equals nothing: no row is asked for. */
  record Nothing() implements KeyTerm {}

  /** A value that is not a key. */
  final class NotAKeyException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private NotAKeyException(String message) {
      super(message);
    }
  }

  /**
   * The keys, none for NULL.
   *
   * @param parameters the value of each parameter by its number
   * @throws NotAKeyException if a value is no whole number of 64 bits; the message does not show it
   */
  static List<Long> keys(KeyTerm term, IntFunction<@Nullable Object> parameters) {
    List<Long> keys = new ArrayList<>(1);
    if (term instanceof Fixed fixed) {
      keys.add(fixed.key());
    } else if (term instanceof InParameter in) {
      add(keys, parameters.apply(in.number()), in.number());
    } else if (term instanceof InArray in) {
      Object array = parameters.apply(in.number());
      if (array instanceof long[] longs) {
        for (long key : longs) {
          keys.add(key);
        }
      } else if (array instanceof int[] ints) {
        for (int key : ints) {
          keys.add((long) key);
        }
      } else if (array instanceof Object[] values) {
        for (Object value : values) {
          add(keys, value, in.number());
        }
      } else if (array instanceof Collection<?> values) {
        for (Object value : values) {
          add(keys, value, in.number());
        }
      } else if (array != null) {
        throw notAKey(array, in.number());
      }
    }
    return keys;
  }

  private static void add(List<Long> keys, @Nullable Object value, int number) {
    if (value == null) {
      return;
    }
    if (value instanceof Long
        || value instanceof Integer
        || value instanceof Short
        || value instanceof Byte) {
      keys.add(((Number) value).longValue());
      return;
    }
    try {
      if (value instanceof BigInteger integer) {
        keys.add(integer.longValueExact());
        return;
      } else if (value instanceof BigDecimal decimal) {
        keys.add(decimal.longValueExact());
        return;
      } else if (value instanceof String text) {
        // The server reads a text parameter by the type that it stands against.
        keys.add(Long.parseLong(text.strip()));
        return;
      }
    } catch (ArithmeticException | NumberFormatException notWhole) {
      throw notAKey(value, number);
    }
    // A floating-point number stands for more than one whole number beyond 2^53.
    throw notAKey(value, number);
  }

  private static NotAKeyException notAKey(Object value, int number) {
    return new NotAKeyException(
        "parameter "
            + number
            + " is compared with a key and holds a "
            + value.getClass().getSimpleName()
            + " that is no whole number of 64 bits");
  }
}
