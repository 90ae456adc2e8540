package dev.waymark.routing;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What the application says about a statement in a comment of it: {@code /* waymark: primary
 * *}{@code /}, {@code replica}, {@code key=42}, several of them apart by commas or spaces. An
 * immutable value.
 *
 * @param key the key whose shard the statement is for, null if none is named
 */
record Hints(Node node, @Nullable Long key) {
  /** Where the statement is to run. */
  enum Node {
    /** Wherever it may. */
    UNSAID,
    PRIMARY,
    /** The application vouches that it only reads. */
    REPLICA
  }

  private static final String PREFIX = "waymark:";

  /** Nothing is said. */
  static Hints none() {
    return new Hints(Node.UNSAID, null);
  }

  /** A hint that is not understood. */
  static final class BadHintException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private BadHintException(String reason) {
      super(reason);
    }
  }

  /**
   * The hints of a statement's comments.
   *
   * @throws BadHintException if a comment begins as a hint and is none
   */
  static Hints of(List<String> comments) {
    Hints hints = none();
    for (String comment : comments) {
      if (comment.startsWith(PREFIX)) {
        for (String word : comment.substring(PREFIX.length()).strip().split("[\\s,]+")) {
          hints = hints.with(word);
        }
      }
    }
    return hints;
  }

  private Hints with(String word) {
    String lower = word.toLowerCase(Locale.ROOT);
    if (lower.startsWith("key=")) {
      long named;
      try {
        named = Long.parseLong(lower.substring("key=".length()));
      } catch (NumberFormatException notANumber) {
        throw new BadHintException("the key of the hint is no whole number");
      }
      if (key != null && key != named) {
        throw new BadHintException("two hints name different keys");
      }
      return new Hints(node, named);
    }
    Node named =
        switch (lower) {
          case "primary" -> Node.PRIMARY;
          case "replica" -> Node.REPLICA;
          default -> throw new BadHintException("'" + word + "' is no hint");
        };
    if (node != Node.UNSAID && node != named) {
      throw new BadHintException("the hints say both primary and replica");
    }
    return new Hints(named, key);
  }
}
