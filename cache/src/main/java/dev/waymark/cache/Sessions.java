package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.ReadMark;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.SessionToken;
import java.time.Duration;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What sessions are told of an answer, and which answers they may be given. Safe to share. */
final class Sessions {
  private final Settings<?, ?> settings;
  private final LocalTier<?, ?> local;
  private final RedisTier redis;

  Sessions(Settings<?, ?> settings, LocalTier<?, ?> local, RedisTier redis) {
    this.settings = settings;
    this.local = local;
    this.redis = redis;
  }

  // ---- what they are told ---------------------------------------------------------------------

  /**
   * The session has now seen a value: what it reads elsewhere must not be older.
   *
   * @param position of a value that Redis vouches for: whatever it shows of its row was committed
   *     by then. Of any other it is only known to be as new
   * @param mark the server that any other value came from
   */
  void shown(@Nullable LogPosition position, @Nullable ReadMark mark, SessionToken session) {
    Consumer<SessionToken> sessionSaw = settings.sessionSaw();
    if (sessionSaw == null) {
      return;
    }
    boolean cutOff =
        settings.withoutRedis() == PendingWrites.WithoutRedis.COMMIT_AND_OWE
            && !redis.isAlone()
            && !redis.isAvailable();
    if (mark == null && !cutOff) {
      if (position != null && !session.reaches(position)) {
        sessionSaw.accept(SessionToken.empty().readUpTo(position));
      }
      return;
    }
    // Each time: the session may have been at the server before, and earlier.
    SessionToken shown = mark == null ? SessionToken.empty() : SessionToken.empty().readFrom(mark);
    if (position != null && mark == null) {
      shown = shown.readUpTo(position);
    }
    if (cutOff) {
      // What is shown may be a change that was committed without an announcement. It may lie beyond
      // the position, since that is only known to be shown; it cannot lie beyond the place that the
      // mark will turn out to be.
      if (position != null) {
        shown = shown.untoldUpTo(position);
      } else if (mark != null) {
        shown = shown.untoldUpTo(new LogPosition(mark.systemId(), mark.timeline(), 0));
      }
    }
    sessionSaw.accept(shown);
  }

  /** A transaction of the calling thread's session was committed and could not be announced. */
  void committedUntold(LogPosition position) {
    Consumer<SessionToken> sessionSaw = settings.sessionSaw();
    if (sessionSaw != null) {
      sessionSaw.accept(SessionToken.empty().untoldUpTo(position));
    }
  }

  // ---- what they are given --------------------------------------------------------------------

  /**
   * Whether a value from Redis shows all that a session has seen. It shows every change that was
   * announced; of those that could not be only the place where it was read tells. Without a fence
   * nothing but its position does. Where its age is not known, it serves only sessions that cannot
   * miss anything.
   *
   * @param readAt null if it was not read but put by its writer
   */
  boolean mayBeShown(
      @Nullable LogPosition position, @Nullable LogPosition readAt, SessionToken session) {
    if (!settings.isFenced()) {
      return session.isEmpty() || (position != null && session.isCoveredBy(position));
    }
    return session.untold().isEmpty() || (readAt != null && session.isUntoldShownFrom(readAt));
  }

  /**
   * Whether the answer of a load that was under way when a caller came will do. It may have begun
   * before a change that was committed by then: for callers without a session as long as L1 may lag
   * behind, for the others only if it shows all that they have seen.
   */
  boolean mayShare(
      SingleFlight.Flight<?> flight,
      CacheAnswer<?> shared,
      SessionToken session,
      long arrivedAtNanos) {
    Duration behind =
        Objects.requireNonNullElse(settings.l1StalenessBound(), settings.l1TimeToLive());
    if (!local.holdsEntries() || arrivedAtNanos - flight.beganAtNanos() >= behind.toNanos()) {
      return false;
    }
    if (session.isEmpty()) {
      return true;
    }
    Route route = shared.route();
    return switch (shared.tier()) {
      // Looked at for the leader's session alone.
      case L1 -> false;
      // Whether it was read or put, and so what it shows of the untold, is not known here.
      case L2 ->
          flight.seen().reaches(session)
              && session.untold().isEmpty()
              && mayBeShown(shared.position(), null, session);
      case DATABASE ->
          route != null && route.role() == Role.PRIMARY
              ? flight.seen().reaches(session) && flight.hasReadAllOf(session)
              : shared.position() != null && Seen.upTo(shared.position()).reaches(session);
    };
  }
}
