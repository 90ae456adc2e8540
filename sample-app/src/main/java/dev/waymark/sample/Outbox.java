package dev.waymark.sample;

import dev.waymark.Consistency;
import dev.waymark.routing.ShardedDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * The events of a shard that are still to be told. They are written in the transactions that they
 * tell of, so that neither is there without the other, and removed after they were told: at least
 * once each.
 *
 * <p>They are told in the order of {@code seq}. Where one transaction could see the other's doing,
 * its events have the greater number and appear no earlier, so that the events of a user come in
 * the order in which they came about. Two relays at work at the same time, one of which was taken
 * for dead, may repeat events; none is told for the first time before one that caused it.
 */
final class Outbox {
  private static final int MOST_AT_ONCE = 200;

  private final ShardedDatabase database;

  Outbox(ShardedDatabase database) {
    this.database = database;
  }

  /** Who is told. */
  interface Listener {
    /** Returns when all are told and in order; may be told some of them again after a failure. */
    void tell(List<Event> events);
  }

  /** Adds an event, within a transaction on its user's shard. */
  static void add(Connection connection, Event.Type type, long userId, Map<String, ?> detail)
      throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO outbox (user_id, type, detail) VALUES (?, ?, ?::jsonb)")) {
      insert.setLong(1, userId);
      insert.setString(2, type.word());
      insert.setString(3, Json.text(detail));
      insert.executeUpdate();
    }
  }

  /**
   * Tells what a shard has to tell, and forgets it.
   *
   * @param anyKey one of the shard's
   */
  void relay(long anyKey, Listener listener) throws SQLException {
    List<Event> events;
    do {
      events = database.read(anyKey, Consistency.strong(), Outbox::first);
      if (!events.isEmpty()) {
        listener.tell(events);
        List<Event> told = events;
        database.write(anyKey, connection -> remove(connection, told));
      }
    } while (events.size() == MOST_AT_ONCE);
  }

  private static List<Event> first(Connection connection) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT id, type, user_id, detail::text, at FROM outbox ORDER BY seq LIMIT ?")) {
      select.setInt(1, MOST_AT_ONCE);
      List<Event> events = new ArrayList<>();
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          events.add(
              new Event(
                  rows.getObject(1, UUID.class),
                  rows.getString(2),
                  rows.getLong(3),
                  rows.getString(4),
                  rows.getObject(5, OffsetDateTime.class).toInstant()));
        }
      }
      return events;
    }
  }

  private static int remove(Connection connection, List<Event> events) throws SQLException {
    try (PreparedStatement delete =
        connection.prepareStatement(
            "DELETE FROM outbox USING unnest(?, ?) AS told (user_id, id)"
                + " WHERE outbox.user_id = told.user_id AND outbox.id = told.id")) {
      delete.setArray(
          1, connection.createArrayOf("bigint", events.stream().map(Event::userId).toArray()));
      delete.setArray(
          2, connection.createArrayOf("uuid", events.stream().map(Event::id).toArray()));
      return delete.executeUpdate();
    }
  }
}
