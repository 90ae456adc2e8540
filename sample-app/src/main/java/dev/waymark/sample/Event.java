package dev.waymark.sample;

import java.time.Instant;
import java.util.Arrays;
import java.util.UUID;

/**
 * Something that happened to a user.
 *
 * @param id the same each time it is told: whoever heard it before can know that
 * @param type as it is told, of {@link Type} or of a later version's
 * @param detail a JSON object; ids and reasons, nothing personal
 */
record Event(UUID id, String type, long userId, String detail, Instant at) {
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

    /** Whether this version knows what it means. */
    static boolean isKnown(String word) {
      return Arrays.stream(values()).anyMatch(type -> type.word.equals(word));
    }
  }
}
