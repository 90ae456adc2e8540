package dev.waymark.routing;

import java.sql.SQLException;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Holds the catalogue that plans are made by, and has it read again when it may have changed: after
 * a schema change through this process, after an error that tells of one elsewhere, and now and
 * then. As long as it cannot be read, nothing is proved, and so no statement is taken for a read.
 * Safe to share.
 */
final class SqlCatalogueKeeper {
  /** Reads the catalogue of every shard's primary. */
  interface Source {
    /**
     * One catalogue for each shard, at least one.
     *
     * @throws SQLException if one of them cannot be read now
     */
    List<SqlCatalogue> load() throws SQLException;

    /**
     * What the shards' servers bring along, for catalogues of {@link #load} that do not know it.
     * Whichever node answers will do: of one version all bring the same along.
     *
     * @throws SQLException if no node tells it now
     */
    BuiltIns loadBuiltIns() throws SQLException;
  }

  /**
   * What a server answers when it knows something else than we do: a table, column, function or
   * type that is missing or has changed, a plan of before, or a write on a replica.
   */
  private static final Set<String> TELLING =
      Set.of("42P01", "42703", "42883", "42704", "42P02", "0A000", "25006");

  private final Source source;
  private final LongSupplier nanoClock;
  private final long maximumAge;
  private final long pause;
  private volatile Held held;

  /** Why what servers bring along could not be read, null if it could; guarded by this. */
  private @Nullable SQLException unreadable;

  /** Until when that is not tried again; guarded by this. */
  private long unreadableUntil;

  /** What is held, since when, and until when it is good. */
  private record Held(SqlCatalogue catalogue, long since, long until) {}

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
    this.held = new Held(SqlCatalogue.unknown(), now - pause, now);
  }

  /** The catalogue. The first call after it may have changed reads it, the others wait for that. */
  SqlCatalogue current() {
    Held now = held;
    if (nanoClock.getAsLong() - now.until() < 0) {
      return now.catalogue();
    }
    synchronized (this) {
      now = held;
      long time = nanoClock.getAsLong();
      if (time - now.until() < 0) {
        return now.catalogue();
      }
      try {
        now = new Held(together(source.load()), time, time + maximumAge);
      } catch (SQLException failure) {
        // From now on: those who have waited for this try must not try one after the other.
        now = new Held(SqlCatalogue.unknown(), time, nanoClock.getAsLong() + pause);
      }
      held = now;
      return now.catalogue();
    }
  }

  /**
   * The same catalogue with what the servers bring along, for a statement that asks for that.
   *
   * @throws SQLException if it cannot be read now; for a while nobody tries again, so that those
   *     who wait for it do not wait one after the other. What is held goes on to serve the
   *     statements for which it is enough
   */
  SqlCatalogue completed(SqlCatalogue catalogue) throws SQLException {
    synchronized (this) {
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
        held = new Held(completed, now.since(), now.until());
      }
      return completed;
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
    synchronized (this) {
      held = new Held(held.catalogue(), held.since(), nanoClock.getAsLong());
    }
  }

  /**
   * A statement has failed. A catalogue that has just been read is not read again for that: a
   * statement that always fails would have it read each time.
   *
   * @return whether that tells of a schema that we do not know
   */
  boolean failed(SQLException failure) {
    boolean tells = failure.getSQLState() != null && TELLING.contains(failure.getSQLState());
    if (tells && nanoClock.getAsLong() - held.since() >= pause) {
      changed();
    }
    return tells;
  }
}
