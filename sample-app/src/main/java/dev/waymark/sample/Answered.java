package dev.waymark.sample;

import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route;
import org.jspecify.annotations.Nullable;

/**
 * A value, and how it came about.
 *
 * @param shard the shard that owns it, or several with commas in between
 * @param node the node that was asked; null if none was
 * @param role what that node was then; null if none was asked
 * @param tier who answered: {@code L1}, {@code L2} or {@code DATABASE}
 * @param reason why, for a person to read
 * @param isAgain whether it is the answer that an earlier request got
 */
record Answered<T extends @Nullable Object>(
    T value,
    String shard,
    @Nullable String node,
    @Nullable Role role,
    String tier,
    String reason,
    boolean isAgain) {

  static final String DATABASE = "DATABASE";

  /** The first answer to a request. */
  Answered(
      T value,
      String shard,
      @Nullable String node,
      @Nullable Role role,
      String tier,
      String reason) {
    this(value, shard, node, role, tier, reason, false);
  }

  static <T extends @Nullable Object> Answered<T> byDatabase(PositionedRead<T> read) {
    Route route = read.route();
    return new Answered<>(
        read.value(),
        route.shard(),
        route.node(),
        route.role(),
        DATABASE,
        route.reason().sentence());
  }

  static <T> Answered<T> byWriting(T value, String shard, @Nullable String primary) {
    return new Answered<>(
        value, shard, primary, Role.PRIMARY, DATABASE, Route.Reason.WRITE.sentence());
  }

  <S extends @Nullable Object> Answered<S> with(S other) {
    return new Answered<>(other, shard, node, role, tier, reason, isAgain);
  }

  /** The same, as the answer that an earlier request got. */
  Answered<T> again() {
    return new Answered<>(value, shard, node, role, tier, reason, true);
  }
}
