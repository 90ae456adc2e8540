package dev.waymark.routing;

import dev.waymark.NoShardForKeyException;
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

  /** A key that no range of the map holds; its message is rendered as the settings have it. */
  static Refusal of(NoShardForKeyException nobodys) {
    String message = String.valueOf(nobodys.getMessage());
    int stop = message.indexOf(". ");
    String sentence = stop < 0 ? message : message.substring(0, stop);
    return new Refusal(
        SqlCode.UNOWNED_KEY,
        sentence.endsWith(".") ? sentence.substring(0, sentence.length() - 1) : sentence);
  }

  /** A value that is compared with a key and is none. */
  static Refusal of(KeyTerm.NotAKeyException wrong) {
    String half = String.valueOf(wrong.getMessage());
    return new Refusal(
        SqlCode.NOT_A_KEY, Character.toUpperCase(half.charAt(0)) + half.substring(1));
  }

  /** The whole message. */
  String message() {
    return message("Nothing was sent. ");
  }

  private String message(String sent) {
    return code.code() + ": " + reason + ". " + sent + code.hint();
  }

  /** The same, after shards have been asked for rows. */
  SQLFeatureNotSupportedException exceptionAfterReading() {
    return new SQLFeatureNotSupportedException(message("Nothing was written. "), STATE);
  }

  /** The same, with something else that helps. */
  SQLFeatureNotSupportedException exceptionWith(String help) {
    return new SQLFeatureNotSupportedException(message() + " " + help, STATE);
  }

  /** As JDBC's callers see it. */
  SQLFeatureNotSupportedException exception() {
    return new SQLFeatureNotSupportedException(message(), STATE);
  }
}
