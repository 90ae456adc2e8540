package dev.waymark.sample;

import java.time.Instant;
import java.util.Arrays;
import java.util.UUID;

/**
 * Something that happened to a user.
 *
 * @param id the same each time it is told: whoever heard it before can know that
 * @param detail a JSON object; ids and reasons, nothing personal
 */
record Event(UUID id, Type type, long userId, String detail, Instant at) {
  /** What can happen. */
  enum Type {
    USER_CREATED("user.created"),
    ORDER_CONFIRMED("order.confirmed"),
    PAYMENT_FAILED("payment.failed");

    private final String word;

    Type(String word) {
      this.word = word;
    }

    /** What it is told by; it stays the same. */
    String word() {
      return word;
    }

    static Type of(String word) {
      return Arrays.stream(values())
          .filter(type -> type.word.equals(word))
          .findFirst()
          .orElseThrow(() -> new IllegalArgumentException("There is no event '" + word + "'"));
    }
  }
}
