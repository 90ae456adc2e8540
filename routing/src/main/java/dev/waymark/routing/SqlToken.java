package dev.waymark.routing;

import java.util.Objects;

/**
 * One token of a SQL text, as PostgreSQL's own scanner would cut it.
 *
 * @param text what it means: a word in lower case, a quoted name or a string without quotes and
 *     escapes, otherwise as it was written; of a parameter its number, counted from 1
 * @param start where it begins in the SQL text
 * @param end the place behind its last character
 */
record SqlToken(Kind kind, String text, int start, int end) {
  /** What a token is. */
  enum Kind {
    /** A name or keyword without quotes. */
    WORD,
    /** A name in double quotes. */
    QUOTED,
    /** A string constant of any notation. */
    STRING,
    /** A bit string: {@code B'…'} or {@code X'…'}. */
    BITS,
    /** A number that has only decimal digits. */
    INTEGER,
    /** Any other number. */
    NUMBER,
    /** A parameter: {@code ?} of JDBC, or {@code $1}. */
    PARAMETER,
    /** An operator. */
    OPERATOR,
    /**
     * A bracket, comma, dot, semicolon, colon, or {@code ::}, {@code :=}, {@code =>}, {@code ..}.
     */
    PUNCTUATION
  }

  /** Checks that the parts fit. */
  SqlToken {
    Objects.requireNonNull(kind, "kind");
    Objects.requireNonNull(text, "text");
    if (start < 0 || end < start) {
      throw new IllegalArgumentException("Not a place in a text: " + start + " to " + end);
    }
  }

  /** Whether it is this word, without quotes. */
  boolean is(String word) {
    return kind == Kind.WORD && text.equals(word);
  }

  /** Whether it is this operator, or this piece of punctuation. */
  boolean isSign(String sign) {
    return (kind == Kind.OPERATOR || kind == Kind.PUNCTUATION) && text.equals(sign);
  }

  /** Whether it may name something. */
  boolean isName() {
    return kind == Kind.WORD || kind == Kind.QUOTED;
  }
}
