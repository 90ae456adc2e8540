package dev.waymark;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/**
 * How far along each shard's log a session has seen: for each system and timeline the greatest log
 * position it has written and the greatest it has read; and the servers it has read from since
 * their positions were last looked up. An immutable value, safe to share.
 *
 * <p>Tokens form a join semilattice: {@link #join} is commutative, associative and idempotent, so
 * it does not matter in which order or how often what was seen is put together.
 */
public final class SessionToken {
  private static final SessionToken EMPTY =
      new SessionToken(List.of(), List.of(), List.of(), List.of());
  private static final Comparator<LogPosition> BY_HISTORY =
      Comparator.comparingLong(LogPosition::systemId).thenComparingInt(LogPosition::timeline);

  private static final Comparator<ReadMark> BY_SERVER =
      Comparator.comparingLong(ReadMark::systemId)
          .thenComparingLong(ReadMark::server)
          .thenComparingInt(ReadMark::timeline);

  /** What was written. Sorted by system and timeline, at most one position for each pair. */
  private final List<LogPosition> positions;

  /** What was read, in the same form. An answer read so far was no newer than this. */
  private final List<LogPosition> reads;

  /** Sorted, each once. */
  private final List<ReadMark> marks;

  /** What was committed without telling the caches first. In the same form as the others. */
  private final List<LogPosition> untold;

  private SessionToken(
      List<LogPosition> positions,
      List<LogPosition> reads,
      List<ReadMark> marks,
      List<LogPosition> untold) {
    this.untold = List.copyOf(untold);
    this.positions = List.copyOf(positions);
    this.reads = List.copyOf(reads);
    this.marks = List.copyOf(marks);
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

  /** The positions written, sorted by system and timeline. */
  public List<LogPosition> positions() {
    return positions;
  }

  /** The positions read, sorted by system and timeline: no earlier state may be shown. */
  public List<LogPosition> reads() {
    return reads;
  }

  /** The servers read from at places not looked up yet, in a fixed order. */
  public List<ReadMark> marks() {
    return marks;
  }

  /**
   * Positions of changes that the session may have seen, and that caches were not told of before
   * they were committed: only a value that is itself as new shows them. Sorted like the others.
   */
  public List<LogPosition> untold() {
    return untold;
  }

  /** Whether the session has seen nothing. */
  public boolean isEmpty() {
    return positions.isEmpty() && reads.isEmpty() && marks.isEmpty() && untold.isEmpty();
  }

  /** A token that covers what either has seen. */
  public SessionToken join(SessionToken other) {
    SessionToken joined = this;
    for (LogPosition position : other.positions) {
      joined = joined.advancedTo(position);
    }
    for (LogPosition position : other.reads) {
      joined = joined.readUpTo(position);
    }
    for (ReadMark mark : other.marks) {
      joined = joined.readFrom(mark);
    }
    for (LogPosition position : other.untold) {
      joined = joined.untoldUpTo(position);
    }
    return joined;
  }

  /** This token, and the position written as well. */
  public SessionToken advancedTo(LogPosition position) {
    List<LogPosition> after = with(positions, position);
    return after == positions ? this : new SessionToken(after, reads, marks, untold);
  }

  /** This token, and nothing beyond the position read as well. */
  public SessionToken readUpTo(LogPosition position) {
    List<LogPosition> after = with(reads, position);
    return after == reads ? this : new SessionToken(positions, after, marks, untold);
  }

  /** This token, and read from a server at an unknown place as well. */
  public SessionToken readFrom(ReadMark mark) {
    if (marks.contains(mark)) {
      return this;
    }
    List<ReadMark> after = new ArrayList<>(marks);
    after.add(mark);
    after.sort(BY_SERVER);
    return new SessionToken(positions, reads, after, untold);
  }

  /** This token, and has seen what was committed up to the position without telling the caches. */
  public SessionToken untoldUpTo(LogPosition position) {
    List<LogPosition> after = with(untold, position);
    return after == untold ? this : new SessionToken(positions, reads, marks, after);
  }

  /** The same list if it covers the position already. */
  private static List<LogPosition> with(List<LogPosition> positions, LogPosition position) {
    List<LogPosition> result = new ArrayList<>(positions.size() + 1);
    boolean placed = false;
    for (LogPosition mine : positions) {
      if (mine.isComparableTo(position)) {
        if (mine.covers(position)) {
          return positions;
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
    return result;
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
    return new SessionToken(kept, reads, marks, untold).advancedTo(position);
  }

  /**
   * Whether an answer that is as new as {@code position} shows all that this session has written on
   * the position's shard.
   */
  public boolean isCoveredBy(LogPosition position) {
    return areCovered(positions, position);
  }

  /**
   * Whether a value that was read when the log had come to {@code position} shows all {@linkplain
   * #untold() that caches were not told of} on the position's shard. The position must lie beyond
   * theirs: a commit is in the log before it can be seen, and nothing need have been written since.
   * Where a session was shown such a change, the position that is known may lie before the change;
   * so whatever the session has read there counts too, and false if nobody knows where that was.
   */
  public boolean isUntoldShownFrom(LogPosition position) {
    long system = position.systemId();
    boolean any = false;
    for (int i = 0; i < untold.size(); i++) {
      if (untold.get(i).systemId() == system) {
        if (!position.isBeyond(untold.get(i))) {
          return false;
        }
        any = true;
      }
    }
    return !any || (areBefore(reads, position) && !hasReadAtAnUnknownPlaceOf(system));
  }

  /** Of the position's shard; an earlier timeline has handed on to it all that is not lost. */
  private static boolean areBefore(List<LogPosition> each, LogPosition position) {
    for (int i = 0; i < each.size(); i++) {
      LogPosition mine = each.get(i);
      if (mine.systemId() == position.systemId()
          && mine.timeline() >= position.timeline()
          && !position.isBeyond(mine)) {
        return false;
      }
    }
    return true;
  }

  private boolean hasReadAtAnUnknownPlaceOf(long systemId) {
    for (int i = 0; i < marks.size(); i++) {
      if (marks.get(i).systemId() == systemId) {
        return true;
      }
    }
    return false;
  }

  private static boolean areCovered(List<LogPosition> each, LogPosition position) {
    // An index loop: this stands on the way of every cached read, and allocates nothing.
    for (int i = 0; i < each.size(); i++) {
      LogPosition mine = each.get(i);
      if (mine.systemId() == position.systemId() && !position.covers(mine)) {
        return false;
      }
    }
    return true;
  }

  /**
   * Whether every position of the other token lies at or before any position of this token. False
   * if the other one has marks: nobody knows where those lie.
   *
   * <p>Allocates nothing.
   */
  public boolean reaches(SessionToken other) {
    return other == this
        || (other.marks.isEmpty()
            && reachesAll(other.positions)
            && reachesAll(other.reads)
            && reachesAll(other.untold));
  }

  private boolean reachesAll(List<LogPosition> others) {
    for (int i = 0; i < others.size(); i++) {
      if (!reaches(others.get(i))) {
        return false;
      }
    }
    return true;
  }

  /** Whether a position lies at or before any position of this token. */
  public boolean reaches(LogPosition position) {
    return anyCovers(positions, position)
        || anyCovers(reads, position)
        || anyCovers(untold, position);
  }

  private static boolean anyCovers(List<LogPosition> mine, LogPosition position) {
    for (int i = 0; i < mine.size(); i++) {
      if (mine.get(i).covers(position)) {
        return true;
      }
    }
    return false;
  }

  /** Whether this token has seen all that the other has. */
  public boolean covers(SessionToken other) {
    return join(other).equals(this);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SessionToken that
        && positions.equals(that.positions)
        && reads.equals(that.reads)
        && marks.equals(that.marks)
        && untold.equals(that.untold);
  }

  @Override
  public int hashCode() {
    return Objects.hash(positions, reads, marks, untold);
  }

  /**
   * What was seen, for a person to read. For the text that travels see {@link SessionTokenFormat}.
   */
  @Override
  public String toString() {
    return "SessionToken[wrote "
        + positions
        + ", read "
        + reads
        + ", marks "
        + marks
        + (untold.isEmpty() ? "" : ", untold " + untold)
        + "]";
  }
}
