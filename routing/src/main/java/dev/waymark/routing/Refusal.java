package dev.waymark.routing;

import java.sql.SQLFeatureNotSupportedException;
import java.util.Objects;

/**
 * Why a statement is not run. An immutable value.
 *
 * @param reason a sentence without its full stop, which names tables but no values
 */
record Refusal(SqlCode code, String reason) {
  /** SQL's own state for what is not supported. */
  private static final String STATE = "0A000";

  /** Checks that both are present. */
  Refusal {
    Objects.requireNonNull(code, "code");
    Objects.requireNonNull(reason, "reason");
  }

  /** The whole message. */
  String message() {
    return code.code() + ": " + reason + ". Nothing was sent. " + code.hint();
  }

  /** As JDBC's callers see it. */
  SQLFeatureNotSupportedException exception() {
    return new SQLFeatureNotSupportedException(message(), STATE);
  }
}
