package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.SessionToken;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The log positions that a process knows to lie in the past: whatever it asks of a primary, or
 * hears proven, from now on shows all that was committed by then. Immutable.
 *
 * <p>Where a server says that its log has come to, everything before is past. What a session brings
 * is not believed so far, since its token may be forged: only that very position counts, and says
 * nothing of those before it. A token with positions that no log has come to is then no worse for
 * other sessions than no token.
 */
final class Seen {
  /** A position that does not fit in any more is noted anew when its session comes again. */
  private static final int MOST_HEARD = 128;

  private static final Seen NOTHING = new Seen(List.of(), Set.of());

  /** At most one for each timeline. */
  private final List<LogPosition> told;

  /** In the order in which they came; never changed. */
  private final Set<LogPosition> heard;

  private Seen(List<LogPosition> told, Set<LogPosition> heard) {
    this.told = told;
    this.heard = heard;
  }

  static Seen nothing() {
    return NOTHING;
  }

  /** All that is known to have been committed by a position, itself included. */
  static Seen upTo(LogPosition position) {
    return new Seen(List.of(position), Set.of(position));
  }

  /** Whether a position is past. */
  boolean reaches(LogPosition position) {
    for (int i = 0; i < told.size(); i++) {
      // Beyond and not at: a commit is in the log before it can be seen, and who tells how far the
      // log has come may have asked in between.
      if (told.get(i).isBeyond(position)) {
        return true;
      }
    }
    return heard.contains(position);
  }

  /** Whether all that a session has seen is past; false where nobody knows what that is. */
  boolean reaches(SessionToken session) {
    return session.marks().isEmpty() && hasHeardOf(session);
  }

  /** Whether a session brings nothing new; what its marks stand for nobody knows. */
  boolean hasHeardOf(SessionToken session) {
    return reaches(session.positions()) && reaches(session.reads()) && reaches(session.untold());
  }

  private boolean reaches(List<LogPosition> positions) {
    for (int i = 0; i < positions.size(); i++) {
      if (!reaches(positions.get(i))) {
        return false;
      }
    }
    return true;
  }

  /** Whether a server has said already that its log has come that far. */
  boolean isToldOf(LogPosition position) {
    for (int i = 0; i < told.size(); i++) {
      if (told.get(i).covers(position)) {
        return true;
      }
    }
    return false;
  }

  /** And where a server says that its log has come to; this one if that is nothing new. */
  Seen toldOf(LogPosition position) {
    if (isToldOf(position)) {
      return this;
    }
    Set<LogPosition> left = new LinkedHashSet<>(heard);
    left.removeIf(position::isBeyond);
    Set<LogPosition> all = new LinkedHashSet<>(told);
    all.removeIf(position::covers);
    all.add(position);
    return new Seen(List.copyOf(all), left);
  }

  /** And what a session brings; this one if that is nothing new. */
  Seen heardOf(SessionToken session) {
    if (hasHeardOf(session)) {
      return this;
    }
    Set<LogPosition> more = new LinkedHashSet<>(heard);
    for (List<LogPosition> each : List.of(session.positions(), session.reads(), session.untold())) {
      for (LogPosition position : each) {
        if (!reaches(position)) {
          more.add(position);
        }
      }
    }
    var oldest = more.iterator();
    while (more.size() > MOST_HEARD) {
      oldest.next();
      oldest.remove();
    }
    return new Seen(told, more);
  }

  @Override
  public String toString() {
    return "Seen[told " + told + ", heard " + heard + "]";
  }
}
