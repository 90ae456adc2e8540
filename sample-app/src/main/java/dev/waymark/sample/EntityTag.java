package dev.waymark.sample;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A strong entity tag (RFC 9110, 8.8.3): equal tags mean equal bytes. It is made from where in its
 * shard's log the row was written, so that making it costs nothing and any process and any node
 * gives the same one; and from the version of the API, because each writes the row in another way.
 *
 * @param text with its quotes, as the header has it
 */
record EntityTag(String text) {
  /** One member of If-Match's or If-None-Match's list: perhaps weak, and its text. */
  private static final Pattern MEMBER =
      Pattern.compile("\\G[ \\t]*(W/)?(\"[\\x21\\x23-\\x7E\\x80-\\xFF]*\")[ \\t]*(?:,|$)");

  /** The tag of one row. */
  static EntityTag of(ApiVersion version, String revision) {
    return new EntityTag("\"v" + version.number() + "." + revision + "\"");
  }

  /** The tag of a page: of all its rows, and of whatever else its bytes depend on. */
  static EntityTag ofPage(ApiVersion version, List<String> revisions, @Nullable String next) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (String revision : revisions) {
        digest.update((revision + "\n").getBytes(StandardCharsets.UTF_8));
      }
      digest.update(String.valueOf(next).getBytes(StandardCharsets.UTF_8));
      return of(version, HexFormat.of().formatHex(digest.digest(), 0, 16));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("Every JDK has SHA-256", impossible);
    }
  }

  /**
   * What a change is conditional on. If-Match is required here: two clients that read, change and
   * write a user would otherwise undo each other's work without noticing. Who wants that says so
   * with {@code *}.
   */
  sealed interface Condition {
    /** Change it if there is one. */
    record Whatever() implements Condition {}

    /** Change it if it still is one of these. */
    record OneOf(List<String> strongTags) implements Condition {}

    /** Refuses with 412 unless it is met. */
    default void check(EntityTag current) {
      if (this instanceof OneOf some && !some.strongTags().contains(current.text())) {
        throw Refusal.of(
                Problem.PRECONDITION_FAILED,
                "It has been changed since; its ETag is " + current.text() + " now.")
            .with("ETag", current.text());
      }
    }
  }

  /**
   * Reads If-Match.
   *
   * @throws Refusal with 428 if there is none, with 400 if it is malformed
   */
  static Condition ifMatch(@Nullable String header) {
    if (header == null) {
      throw Refusal.of(
          Problem.PRECONDITION_REQUIRED,
          "Say with If-Match which version is to be changed: the ETag you have read, or *.");
    }
    if (header.trim().equals("*")) {
      return new Condition.Whatever();
    }
    List<String> strong = new ArrayList<>();
    for (Member member : members(header)) {
      // If-Match compares strongly: a weak tag never matches.
      if (!member.isWeak()) {
        strong.add(member.text());
      }
    }
    return new Condition.OneOf(strong);
  }

  /** Whether If-None-Match knows this tag, so that 304 will do. A malformed header knows none. */
  boolean isKnownTo(@Nullable String ifNoneMatch) {
    if (ifNoneMatch == null) {
      return false;
    }
    if (ifNoneMatch.trim().equals("*")) {
      return true;
    }
    try {
      return members(ifNoneMatch).stream().anyMatch(member -> member.text().equals(text));
    } catch (Refusal malformed) {
      return false;
    }
  }

  private record Member(boolean isWeak, String text) {}

  private static List<Member> members(String header) {
    List<Member> members = new ArrayList<>();
    Matcher matcher = MEMBER.matcher(header);
    int end = 0;
    while (end < header.length() && matcher.find()) {
      members.add(new Member(matcher.group(1) != null, matcher.group(2)));
      end = matcher.end();
    }
    if (end < header.length() || members.isEmpty()) {
      throw Refusal.invalidInput(
          List.of(
              new Fault("If-Match", "must be *, or entity tags in quotes with commas between")));
    }
    return members;
  }
}
