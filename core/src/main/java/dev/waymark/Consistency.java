package dev.waymark;

import java.time.Duration;

/** What a read may see. The terms are those of Azure Cosmos DB and Spanner. */
public sealed interface Consistency {
  /** Every committed write, from anybody: the primary answers. */
  record Strong() implements Consistency {
    @Override
    public String toString() {
      return "strong";
    }
  }

  /** At least what the current session has written, from a replica where one has it. */
  record Session() implements Consistency {
    @Override
    public String toString() {
      return "session";
    }
  }

  /**
   * Nothing older than a given age.
   *
   * @param age greater than zero
   */
  record BoundedStaleness(Duration age) implements Consistency {
    /** Checks the age. */
    public BoundedStaleness {
      if (age.isNegative() || age.isZero()) {
        throw new IllegalArgumentException(
            "The age of a bounded-staleness read must be greater than zero, not " + age);
      }
    }

    @Override
    public String toString() {
      return "boundedStaleness(" + age + ")";
    }
  }

  /** Any committed state, however old. */
  record Eventual() implements Consistency {
    @Override
    public String toString() {
      return "eventual";
    }
  }

  /** Every committed write, from anybody. */
  static Consistency strong() {
    return new Strong();
  }

  /** At least what the session has written; the default. */
  static Consistency session() {
    return new Session();
  }

  /** Nothing older than {@code age}, which is greater than zero. */
  static Consistency boundedStaleness(Duration age) {
    return new BoundedStaleness(age);
  }

  /** Any committed state. */
  static Consistency eventual() {
    return new Eventual();
  }
}
