package dev.waymark.sample;

import dev.waymark.Consistency;
import dev.waymark.KeyRange;
import dev.waymark.Shard;
import dev.waymark.WaymarkException;
import dev.waymark.routing.ShardedDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps e-mail addresses unique over all shards, without a transaction over two of them.
 *
 * <p>A look-up table, sharded by the address' hash, says who has an address. Whoever wants one
 * {@linkplain #reserve reserves} it there, {@linkplain #use uses} the reservation in the very
 * transaction that writes the user, and {@linkplain #confirm confirms} it. Any of these steps may
 * be the last of a process that dies, or may come after hours in one that was frozen.
 *
 * <p><b>What holds.</b> If a user's row has an address, the look-up table has it for that user. So
 * an entry goes away only by {@link #settle}, which first decides on the user's shard: there a
 * reservation is either used or revoked, in one row, under its lock, and a revoked one can never be
 * used. Who comes late finds it revoked and has written nothing. No clock is trusted with this:
 * time only decides when to ask. For the same reason the rows that say "revoked" are never removed:
 * a process may stay frozen for any time between two steps.
 *
 * <p>An address is not lost to a crash: whoever wants one that somebody else has settles that entry
 * first, and {@link Reaper} settles what nobody asks for. Thread-safe.
 */
final class UniqueEmails {
  private static final Logger log = LoggerFactory.getLogger(UniqueEmails.class);
  private final ShardedDatabase database;
  private final Duration grace;
  private volatile @Nullable HashRing ring;

  /**
   * Unique addresses.
   *
   * @param grace how long a reservation is left alone before it counts as left behind; a user that
   *     is created more slowly than that may have to begin again
   */
  UniqueEmails(ShardedDatabase database, Duration grace) {
    this.database = database;
    this.grace = grace;
  }

  /** A user's right to use an address, until it is revoked. */
  record Reservation(long slot, String email, long userId, UUID id) {}

  private record Entry(Reservation reservation, boolean confirmed, boolean isInQuestion) {}

  /** What became of an entry that was asked about. */
  enum Settled {
    /** The user has the address. */
    HELD,
    /** The user has it not and cannot get it by this entry, which is gone. */
    FREED
  }

  /** The reservation was revoked, because its user was long in coming: nothing was written. */
  static final class RevokedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    RevokedException() {
      super("The reservation was revoked", null, false, false);
    }
  }

  HashRing ring() throws SQLException {
    HashRing known = ring;
    if (known == null) {
      // Two threads that come here together read the same.
      known = HashRing.load(database);
      ring = known;
    }
    return known;
  }

  /**
   * Who has an address, as the current session may know; the caller must look whether the user
   * still has it.
   */
  OptionalLong ownerOf(String email) throws SQLException {
    long slot = ring().keyOf(email);
    return database.read(
        slot,
        connection -> {
          try (PreparedStatement select =
              connection.prepareStatement(
                  "SELECT user_id FROM user_emails WHERE slot = ? AND email = ?")) {
            select.setLong(1, slot);
            select.setString(2, email);
            try (ResultSet row = select.executeQuery()) {
              return row.next() ? OptionalLong.of(row.getLong(1)) : OptionalLong.empty();
            }
          }
        });
  }

  /**
   * Reserves an address for a user; a reservation of the same user that is there already serves.
   *
   * @throws Refusal if another user has it, or is about to
   */
  Reservation reserve(String email, long userId) throws SQLException {
    long slot = ring().keyOf(email);
    Reservation wanted = new Reservation(slot, email, userId, UUID.randomUUID());
    while (true) {
      Entry entry = database.write(slot, connection -> insertOrSelect(connection, wanted));
      if (entry.reservation().userId() == userId) {
        return entry.reservation();
      }
      boolean mayBeLeftBehind = entry.confirmed() || entry.isInQuestion();
      if (!mayBeLeftBehind || settle(entry) == Settled.HELD) {
        throw Refusal.emailTaken();
      }
    }
  }

  private Entry insertOrSelect(Connection connection, Reservation wanted) throws SQLException {
    while (true) {
      try (PreparedStatement insert =
          connection.prepareStatement(
              """
              INSERT INTO user_emails (slot, email, user_id, reservation) VALUES (?, ?, ?, ?)
              ON CONFLICT (slot, email) DO NOTHING
              """)) {
        insert.setLong(1, wanted.slot());
        insert.setString(2, wanted.email());
        insert.setLong(3, wanted.userId());
        insert.setObject(4, wanted.id());
        if (insert.executeUpdate() == 1) {
          return new Entry(wanted, false, false);
        }
      }
      List<Entry> there = entries(connection, "slot = ? AND email = ?", wanted);
      if (!there.isEmpty()) {
        return there.get(0);
      }
      // Gone between the two statements: once more.
    }
  }

  /**
   * Uses a reservation, within the transaction on the user's shard that then writes the user.
   *
   * @throws RevokedException if it was revoked; the transaction must be given up
   */
  static void use(Connection connection, Reservation reservation) throws SQLException {
    if (lockDecision(connection, reservation).equals("revoked")) {
      throw new RevokedException();
    }
    decide(connection, reservation, "used");
  }

  /**
   * Says, within the transaction that takes an address from its user, that its entry is to be
   * looked at: should the process die before {@link #settle(String, long)}, {@link Reaper} will.
   */
  static void release(Connection connection, long userId, String email) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            """
            UPDATE email_uses SET state = 'released', decided_at = clock_timestamp()
            WHERE user_id = ? AND email = ? AND state = 'used'
            """)) {
      update.setLong(1, userId);
      update.setString(2, email);
      update.executeUpdate();
    }
  }

  /** Marks an entry as one that need not be looked at again. */
  void confirm(Reservation reservation) throws SQLException {
    database.write(
        reservation.slot(),
        connection ->
            change(
                connection,
                "UPDATE user_emails SET confirmed = true"
                    + " WHERE slot = ? AND email = ? AND reservation = ?",
                reservation));
  }

  /**
   * Frees a user's address unless the user has it: after a change, a deletion, or a creation that
   * failed.
   */
  void settle(String email, long userId) throws SQLException {
    long slot = ring().keyOf(email);
    Reservation asked = new Reservation(slot, email, userId, new UUID(0, 0));
    List<Entry> entries =
        database.read(
            slot,
            Consistency.strong(),
            connection -> entries(connection, "slot = ? AND email = ?", asked));
    for (Entry entry : entries) {
      if (entry.reservation().userId() == userId) {
        settle(entry);
      }
    }
  }

  private Settled settle(Entry entry) throws SQLException {
    Reservation reservation = entry.reservation();
    Settled settled =
        database.write(reservation.userId(), connection -> decide(connection, reservation));
    if (settled == Settled.FREED) {
      // From here on it cannot be used, so that nobody needs the entry.
      database.write(
          reservation.slot(),
          connection ->
              change(
                  connection,
                  "DELETE FROM user_emails WHERE slot = ? AND email = ? AND reservation = ?",
                  reservation));
    } else if (!entry.confirmed()) {
      confirm(reservation);
    }
    return settled;
  }

  /**
   * Holds or revokes. The user's row need not be locked: while the decision is, nobody is between
   * using this reservation and his commit, and who gives the address up settles it himself, later.
   * Locking it would be a deadlock with those, who lock the user first.
   */
  private static Settled decide(Connection connection, Reservation reservation)
      throws SQLException {
    boolean isRevoked = lockDecision(connection, reservation).equals("revoked");
    try (PreparedStatement select =
        connection.prepareStatement("SELECT 1 FROM users WHERE id = ? AND email = ?")) {
      select.setLong(1, reservation.userId());
      select.setString(2, reservation.email());
      try (ResultSet user = select.executeQuery()) {
        Settled settled = user.next() ? Settled.HELD : Settled.FREED;
        // Revoked is for ever: it may be this reservation's second entry that the user has.
        if (!isRevoked) {
          decide(connection, reservation, settled == Settled.HELD ? "used" : "revoked");
        }
        return settled;
      }
    }
  }

  /**
   * Locks the row that says what became of a reservation, making it first if need be, and waits for
   * whoever has it locked. The statements after this one see what those have committed.
   */
  private static String lockDecision(Connection connection, Reservation reservation)
      throws SQLException {
    try (PreparedStatement insert =
            connection.prepareStatement(
                """
                INSERT INTO email_uses (user_id, reservation, email, state)
                VALUES (?, ?, ?, 'released') ON CONFLICT DO NOTHING
                """);
        PreparedStatement select =
            connection.prepareStatement(
                "SELECT state FROM email_uses WHERE user_id = ? AND reservation = ? FOR UPDATE")) {
      insert.setLong(1, reservation.userId());
      insert.setObject(2, reservation.id());
      insert.setString(3, reservation.email());
      insert.executeUpdate();
      select.setLong(1, reservation.userId());
      select.setObject(2, reservation.id());
      try (ResultSet row = select.executeQuery()) {
        row.next();
        return row.getString(1);
      }
    }
  }

  private static void decide(Connection connection, Reservation reservation, String state)
      throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            """
            UPDATE email_uses SET state = ?, decided_at = clock_timestamp()
            WHERE user_id = ? AND reservation = ?
            """)) {
      update.setString(1, state);
      update.setLong(2, reservation.userId());
      update.setObject(3, reservation.id());
      update.executeUpdate();
    }
  }

  // ---- what the reaper asks --------------------------------------------------------------------

  /**
   * Settles up to so many entries of a shard that were left behind: reservations that nobody
   * confirmed, and addresses that their users gave up.
   *
   * @return how many could be
   */
  int settleLeftBehind(Shard shard, int most) throws SQLException {
    List<KeyRange> ranges = database.map().rangesOf(shard.name());
    if (ranges.isEmpty()) {
      return 0;
    }
    long anyKey = ranges.get(0).from();
    List<Entry> unconfirmed =
        database.read(
            anyKey,
            Consistency.strong(),
            connection ->
                entries(
                    connection,
                    "NOT confirmed AND reserved_at < now() - make_interval(secs => ?) LIMIT "
                        + most,
                    null));
    int settled = 0;
    for (Entry entry : unconfirmed) {
      settled += settledNow(entry.reservation(), () -> settle(entry));
    }
    List<Reservation> released =
        database.read(anyKey, Consistency.strong(), connection -> released(connection, most));
    for (Reservation each : released) {
      settled +=
          settledNow(
              each,
              () -> {
                settle(each.email(), each.userId());
                // Settled: if the entry was this one, it is gone; if it is another, that stands for
                // itself.
                database.write(
                    each.userId(),
                    connection -> {
                      if (lockDecision(connection, each).equals("released")) {
                        decide(connection, each, "revoked");
                      }
                      return true;
                    });
              });
    }
    return settled;
  }

  private interface Settling {
    void run() throws SQLException;
  }

  /** One whose other shard does not answer must not hold up the rest. */
  private static int settledNow(Reservation reservation, Settling settling) {
    try {
      settling.run();
      return 1;
    } catch (WaymarkException | SQLException failure) {
      log.info(
          "An address of user {} is not settled this time: {}",
          reservation.userId(),
          failure.getMessage());
      return 0;
    }
  }

  private List<Reservation> released(Connection connection, int most) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            """
            SELECT user_id, reservation, email FROM email_uses
            WHERE state = 'released' AND decided_at < now() - make_interval(secs => ?)
            LIMIT ?
            """)) {
      select.setDouble(1, seconds());
      select.setInt(2, most);
      List<Reservation> released = new ArrayList<>();
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          String email = rows.getString(3);
          released.add(
              new Reservation(
                  ring().keyOf(email), email, rows.getLong(1), rows.getObject(2, UUID.class)));
        }
      }
      return released;
    }
  }

  // ---- the statements --------------------------------------------------------------------------

  private List<Entry> entries(Connection connection, String condition, @Nullable Reservation asked)
      throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT slot, email, user_id, reservation, confirmed,"
                + " reserved_at < now() - make_interval(secs => ?) FROM user_emails WHERE "
                + condition)) {
      select.setDouble(1, seconds());
      if (asked == null) {
        select.setDouble(2, seconds());
      } else {
        select.setLong(2, asked.slot());
        select.setString(3, asked.email());
      }
      List<Entry> entries = new ArrayList<>();
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          entries.add(
              new Entry(
                  new Reservation(
                      rows.getLong(1),
                      rows.getString(2),
                      rows.getLong(3),
                      rows.getObject(4, UUID.class)),
                  rows.getBoolean(5),
                  rows.getBoolean(6)));
        }
      }
      return entries;
    }
  }

  private static int change(Connection connection, String sql, Reservation reservation)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setLong(1, reservation.slot());
      statement.setString(2, reservation.email());
      statement.setObject(3, reservation.id());
      return statement.executeUpdate();
    }
  }

  private double seconds() {
    return grace.toMillis() / 1e3;
  }
}
