package dev.waymark;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/**
 * How far along each shard's log a session has seen: the greatest log position per system and
 * timeline. An immutable value, safe to share.
 *
 * <p>Tokens form a join semilattice: {@link #join} is commutative, associative and idempotent, so
 * it does not matter in which order or how often what was seen is put together.
 */
public final class SessionToken {
  private static final SessionToken EMPTY = new SessionToken(List.of());
  private static final Comparator<LogPosition> BY_HISTORY =
      Comparator.comparingLong(LogPosition::systemId).thenComparingInt(LogPosition::timeline);

  /** Sorted by system and timeline, at most one position for each pair. */
  private final List<LogPosition> positions;

  private SessionToken(List<LogPosition> sorted) {
    this.positions = List.copyOf(sorted);
  }

  /** The token of a session that has seen nothing. */
  public static SessionToken empty() {
    return EMPTY;
  }

  /** The token of a session that has seen these positions, given in any order. */
  public static SessionToken of(LogPosition... positions) {
    SessionToken token = EMPTY;
    for (LogPosition position : positions) {
      token = token.advancedTo(position);
    }
    return token;
  }

  /** The positions, sorted by system and timeline. */
  public List<LogPosition> positions() {
    return positions;
  }

  /** Whether the session has seen nothing. */
  public boolean isEmpty() {
    return positions.isEmpty();
  }

  /** A token that covers what either has seen. */
  public SessionToken join(SessionToken other) {
    SessionToken joined = this;
    for (LogPosition position : other.positions) {
      joined = joined.advancedTo(position);
    }
    return joined;
  }

  /** This token, and the position seen as well. */
  public SessionToken advancedTo(LogPosition position) {
    List<LogPosition> result = new ArrayList<>(positions.size() + 1);
    boolean placed = false;
    for (LogPosition mine : positions) {
      if (mine.isComparableTo(position)) {
        if (mine.covers(position)) {
          return this;
        }
        result.add(position);
        placed = true;
      } else {
        result.add(mine);
      }
    }
    if (!placed) {
      result.add(position);
      result.sort(BY_HISTORY);
    }
    return new SessionToken(result);
  }

  /**
   * This token with the earlier timelines of the position's system replaced by the position: for a
   * caller that has made sure the position covers what those timelines have handed on.
   */
  public SessionToken succeededBy(LogPosition position) {
    List<LogPosition> kept =
        positions.stream()
            .filter(
                mine ->
                    mine.systemId() != position.systemId()
                        || mine.timeline() >= position.timeline())
            .toList();
    return new SessionToken(kept).advancedTo(position);
  }

  /**
   * Whether an answer that is as new as {@code position} shows all that this session has seen of
   * the position's shard.
   */
  public boolean isCoveredBy(LogPosition position) {
    // An index loop: this stands on the way of every cached read, and allocates nothing.
    for (int i = 0; i < positions.size(); i++) {
      LogPosition mine = positions.get(i);
      if (mine.systemId() == position.systemId() && !position.covers(mine)) {
        return false;
      }
    }
    return true;
  }

  /** Whether this token has seen all that the other has. */
  public boolean covers(SessionToken other) {
    return join(other).equals(this);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SessionToken that && positions.equals(that.positions);
  }

  @Override
  public int hashCode() {
    return Objects.hash(positions);
  }

  /**
   * The positions for a person to read. For the text that travels see {@link SessionTokenFormat}.
   */
  @Override
  public String toString() {
    return "SessionToken" + positions;
  }
}
