package dev.waymark.routing;

import java.sql.SQLException;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Holds the catalogue that plans are made by, and has it read again when it may have changed: after
 * a schema change through this process, and now and then, or after an error that tells of a change
 * elsewhere. After a change of our own all wait for the new one, and as long as it cannot be read
 * nothing is proved, so that no statement is taken for a read. What may be old goes on to serve,
 * and only the caller who reads it again waits for that. Safe to share.
 */
final class SqlCatalogueKeeper {
  /** Reads the catalogue of every shard's primary. */
  interface Source {
    /**
     * Reads it of every shard that has a node up.
     *
     * @throws SQLException if one of them cannot be read now
     */
    Reading load() throws SQLException;

    /**
     * What the shards' servers bring along, for catalogues of {@link #load} that do not know it.
     * Whichever node answers will do: of one version all bring the same along.
     *
     * @throws SQLException if no node tells it now
     */
    BuiltIns loadBuiltIns() throws SQLException;
  }

  /**
   * What was read.
   *
   * @param catalogues one for each shard, at least one
   * @param isOfAll whether it is of every shard, and of its primary
   */
  record Reading(List<SqlCatalogue> catalogues, boolean isOfAll) {}

  /**
   * What a server answers when it knows something else than we do: a table, column, function or
   * type that is missing or has changed, a plan of before, or a write on a replica.
   */
  private static final Set<String> TELLING =
      Set.of("42P01", "42703", "42883", "42704", "42P02", "0A000", "25006");

  /** So many pauses after a reading without some shard's primary it is read again. */
  private static final int PAUSES_OF_A_PART = 10;

  private final Source source;
  private final LongSupplier nanoClock;
  private final long maximumAge;
  private final long pause;

  /** How often it may have changed. */
  private final AtomicLong doubts = new AtomicLong();

  /** Held by whoever reads: one at a time. */
  private final ReentrantLock reading = new ReentrantLock();

  /** Written under the lock. */
  private volatile Held held;

  /** What an error has told to be old, perhaps not held any more; known by when it was read. */
  private volatile @Nullable Held old;

  /** Why what servers bring along could not be read, null if it could; guarded by the lock. */
  private @Nullable SQLException unreadable;

  /** Until when that is not tried again; guarded by the lock. */
  private long unreadableUntil;

  /**
   * What is held.
   *
   * @param since when it was read
   * @param until when it is read again without a reason
   * @param doubts how many there were before it was read: with more of them it is not good any more
   */
  private record Held(SqlCatalogue catalogue, long since, long until, long doubts) {}

  /**
   * A keeper that has read nothing yet.
   *
   * @param nanoClock as {@link System#nanoTime}
   * @param maximumAge nanoseconds after which the catalogue is read again without a reason
   * @param pause nanoseconds between two tries while it cannot be read
   */
  SqlCatalogueKeeper(Source source, LongSupplier nanoClock, long maximumAge, long pause) {
    this.source = source;
    this.nanoClock = nanoClock;
    this.maximumAge = maximumAge;
    this.pause = pause;
    long now = nanoClock.getAsLong();
    this.held = new Held(SqlCatalogue.unknown(), now - pause, now, 0);
  }

  /**
   * The catalogue. The first call after it may have changed reads it, the others wait for that; of
   * those that find it old, one reads it and the others do not wait.
   */
  SqlCatalogue current() {
    long needed = doubts.get();
    Held now = held;
    if (isGood(now, needed)) {
      return now.catalogue();
    }
    if (!isKnown(now) || now.doubts() < needed) {
      reading.lock();
    } else if (!reading.tryLock()) {
      return now.catalogue();
    }
    try {
      now = held;
      // What has changed since this call began is the next one's affair.
      return isGood(now, needed) ? now.catalogue() : readAgain(now);
    } finally {
      reading.unlock();
    }
  }

  private static boolean isKnown(Held now) {
    return now.catalogue().version() != 0;
  }

  private boolean isGood(Held now, long needed) {
    Held told = old;
    return now.doubts() >= needed
        && (told == null || told.since() != now.since())
        && nanoClock.getAsLong() - now.until() < 0;
  }

  private SqlCatalogue readAgain(Held before) {
    long began = nanoClock.getAsLong();
    long known = doubts.get();
    Held next;
    try {
      Reading read = source.load();
      long age = read.isOfAll() ? maximumAge : Math.min(maximumAge, PAUSES_OF_A_PART * pause);
      next = new Held(together(read.catalogues()), began, began + age, known);
    } catch (SQLException failure) {
      SqlCatalogue left = known == before.doubts() ? before.catalogue() : SqlCatalogue.unknown();
      if (Thread.currentThread().isInterrupted()) {
        // It tells nothing of the servers, and is nobody else's.
        return left;
      }
      // From now on: those who have waited for this try must not try one after the other.
      next = new Held(left, began, nanoClock.getAsLong() + pause, known);
    }
    held = next;
    return next.catalogue();
  }

  /**
   * The same catalogue with what the servers bring along, for a statement that asks for that.
   *
   * @throws SQLException if it cannot be read now; for a while nobody tries again, so that those
   *     who wait for it do not wait one after the other. What is held goes on to serve the
   *     statements for which it is enough
   */
  SqlCatalogue completed(SqlCatalogue catalogue) throws SQLException {
    reading.lock();
    try {
      Held now = held;
      boolean isHeld = now.catalogue().version() == catalogue.version();
      if (isHeld && now.catalogue().builtIns().areRead()) {
        return now.catalogue();
      }
      if (unreadable != null && nanoClock.getAsLong() - unreadableUntil < 0) {
        throw notJudged(unreadable);
      }
      BuiltIns read;
      try {
        read = source.loadBuiltIns();
        unreadable = null;
      } catch (SQLException failure) {
        if (!Thread.currentThread().isInterrupted()) {
          unreadable = failure;
          unreadableUntil = nanoClock.getAsLong() + pause;
        }
        throw notJudged(failure);
      }
      if (!read.majorVersion().equals(catalogue.builtIns().majorVersion())) {
        if (isHeld) {
          changed();
        }
        throw notJudged(new SQLException("the servers have been upgraded meanwhile"));
      }
      SqlCatalogue completed = catalogue.with(read);
      if (isHeld) {
        held = new Held(completed, now.since(), now.until(), now.doubts());
      }
      return completed;
    } finally {
      reading.unlock();
    }
  }

  private static SQLException notJudged(SQLException failure) {
    return new SQLException(
        "What the servers bring along, by which the statement is to be judged, cannot be read now: "
            + failure.getMessage()
            + ". Nothing was sent, so it may be repeated.",
        "08001",
        failure);
  }

  private static SqlCatalogue together(List<SqlCatalogue> catalogues) {
    Iterator<SqlCatalogue> all = catalogues.iterator();
    SqlCatalogue first = all.next();
    while (all.hasNext()) {
      // Half-way through a migration, what is proved for one shard is not proved for the next.
      if (!first.isLike(all.next())) {
        return first.withAlarm("the shards' schemas differ");
      }
    }
    return first;
  }

  /** A statement has run that may have changed the schema. */
  void changed() {
    doubts.incrementAndGet();
  }

  /**
   * A statement has failed. A catalogue that has just been read is not read again for that: a
   * statement that always fails would have it read each time.
   *
   * @return whether that tells of a schema that we do not know
   */
  boolean failed(SQLException failure) {
    boolean tells = failure.getSQLState() != null && TELLING.contains(failure.getSQLState());
    Held now = held;
    if (tells && isKnown(now) && nanoClock.getAsLong() - now.since() >= pause) {
      old = now;
    }
    return tells;
  }
}
