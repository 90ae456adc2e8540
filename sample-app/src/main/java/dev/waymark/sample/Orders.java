package dev.waymark.sample;

import dev.waymark.routing.ShardedDatabase;
import java.math.BigDecimal;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The users' orders, each on its user's shard; read from the database itself. Thread-safe. */
final class Orders {
  private static final String FOREIGN_KEY_VIOLATION = "23503";

  private final ShardedDatabase database;

  Orders(ShardedDatabase database) {
    this.database = database;
  }

  /** A user's newest orders; null if there is no such user. */
  @SuppressWarnings("NullAway") // before JDK 22 it does not know type variables that may be null
  Answered<@Nullable List<Order>> newestOf(long userId, int limit) throws SQLException {
    return Answered.byDatabase(
        database.readPositioned(
            userId,
            connection -> {
              // One statement, so one snapshot: no order appears of a user that does not.
              try (PreparedStatement select =
                  connection.prepareStatement(
                      """
                      SELECT o.id, u.id AS user_id, o.total_amount, o.created_at
                      FROM users u LEFT JOIN orders o ON o.user_id = u.id
                      WHERE u.id = ?
                      ORDER BY o.created_at DESC, o.id DESC LIMIT ?
                      """)) {
                select.setLong(1, userId);
                select.setInt(2, limit);
                return orders(select);
              }
            }));
  }

  /** One order; null if there is none. */
  @SuppressWarnings("NullAway") // as above
  Answered<@Nullable Order> find(long userId, long id) throws SQLException {
    return Answered.byDatabase(
        database.readPositioned(
            userId,
            connection -> {
              try (PreparedStatement select =
                  connection.prepareStatement(
                      """
                      SELECT id, user_id, total_amount, created_at FROM orders
                      WHERE user_id = ? AND id = ?
                      """)) {
                select.setLong(1, userId);
                select.setLong(2, id);
                List<Order> found = orders(select);
                return found == null ? null : found.get(0);
              }
            }));
  }

  /**
   * Creates an order.
   *
   * @throws Refusal if there is no such user
   */
  Answered<Order> create(long userId, BigDecimal totalAmount) throws SQLException {
    return database.transaction(
        userId,
        transaction -> {
          try (PreparedStatement insert =
              transaction
                  .connection()
                  .prepareStatement(
                      """
                      INSERT INTO orders (user_id, total_amount) VALUES (?, ?)
                      RETURNING id, user_id, total_amount, created_at
                      """)) {
            insert.setLong(1, userId);
            insert.setBigDecimal(2, totalAmount);
            List<Order> created = orders(insert);
            if (created == null) {
              throw new IllegalStateException("INSERT … RETURNING returned no row");
            }
            return Answered.byWriting(
                created.get(0),
                transaction.shard(),
                Nodes.primaryOf(database, transaction.shard()));
          } catch (SQLException failure) {
            if (FOREIGN_KEY_VIOLATION.equals(failure.getSQLState())) {
              throw Refusal.noSuchUser(userId);
            }
            throw failure;
          }
        });
  }

  /** Null without any row; a row without an order stands for a user who has none. */
  private static @Nullable List<Order> orders(PreparedStatement statement) throws SQLException {
    try (ResultSet rows = statement.executeQuery()) {
      List<Order> orders = null;
      while (rows.next()) {
        orders = orders == null ? new ArrayList<>() : orders;
        long id = rows.getLong("id");
        if (!rows.wasNull()) {
          orders.add(
              new Order(
                  id,
                  rows.getLong("user_id"),
                  rows.getBigDecimal("total_amount"),
                  rows.getObject("created_at", OffsetDateTime.class).toInstant()));
        }
      }
      return orders;
    }
  }
}
