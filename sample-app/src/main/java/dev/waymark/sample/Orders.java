package dev.waymark.sample;

import dev.waymark.Transaction;
import dev.waymark.routing.ShardedDatabase;
import java.sql.Connection;
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
  private static final String COLUMNS =
      "id, user_id, items::text, total_amount, status, cancel_reason, created_at, updated_at,"
          + " revision";

  private final ShardedDatabase database;

  Orders(ShardedDatabase database) {
    this.database = database;
  }

  /**
   * Some of a user's orders, the newest first; null if there is no such user.
   *
   * @param before only orders with a smaller id, which are older; {@link Long#MAX_VALUE} for all
   */
  @SuppressWarnings("NullAway") // before JDK 22 it does not know type variables that may be null
  Answered<@Nullable List<Order>> newestOf(long userId, long before, int limit)
      throws SQLException {
    return Answered.byDatabase(
        database.readPositioned(
            userId,
            connection -> {
              // One statement, so one snapshot: no order appears of a user that does not.
              try (PreparedStatement select =
                  connection.prepareStatement(
                      """
                      SELECT o.id, u.id AS user_id, o.items::text, o.total_amount, o.status,
                             o.cancel_reason, o.created_at, o.updated_at, o.revision
                      FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.id < ?
                      WHERE u.id = ?
                      ORDER BY o.id DESC LIMIT ?
                      """)) {
                select.setLong(1, before);
                select.setLong(2, userId);
                select.setInt(3, limit);
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
                      "SELECT " + COLUMNS + " FROM orders WHERE user_id = ? AND id = ?")) {
                select.setLong(1, userId);
                select.setLong(2, id);
                List<Order> found = orders(select);
                return found == null ? null : found.get(0);
              }
            }));
  }

  /** What belongs to an order, written in the transaction that creates it. */
  interface Addition {
    void to(Transaction transaction, Order order) throws SQLException;
  }

  /**
   * Creates an order that nothing more is to be done for.
   *
   * @param request what makes it repeatable; null if it is not
   * @throws Refusal if there is no such user
   */
  Answered<Order> create(long userId, List<Order.Item> items, Idempotency.@Nullable Request request)
      throws SQLException {
    return create(userId, items, request, Order.Status.PLACED, (transaction, order) -> {});
  }

  /** The same with a status to begin with, and with what belongs to it. */
  Answered<Order> create(
      long userId,
      List<Order.Item> items,
      Idempotency.@Nullable Request request,
      Order.Status status,
      Addition addition)
      throws SQLException {
    return database.transaction(
        userId,
        transaction -> {
          Connection connection = transaction.connection();
          String primary = Nodes.primaryOf(database, transaction.shard());
          if (request != null) {
            String earlier = Idempotency.begin(connection, userId, request);
            if (earlier != null) {
              return Answered.byWriting(
                      Json.read(earlier, Order.class), transaction.shard(), primary)
                  .again();
            }
          }
          Order created = insert(connection, userId, items, status);
          addition.to(transaction, created);
          if (request != null) {
            Idempotency.keep(connection, userId, request, created);
          }
          return Answered.byWriting(created, transaction.shard(), primary);
        });
  }

  private static Order insert(
      Connection connection, long userId, List<Order.Item> items, Order.Status status)
      throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO orders (user_id, items, total_amount, status) VALUES (?, ?::jsonb, ?, ?)"
                + " RETURNING "
                + COLUMNS)) {
      insert.setLong(1, userId);
      insert.setString(2, Json.text(items));
      insert.setBigDecimal(3, Order.totalOf(items));
      insert.setString(4, status.word());
      List<Order> created = orders(insert);
      if (created == null) {
        throw new IllegalStateException("INSERT … RETURNING returned no row");
      }
      return created.get(0);
    } catch (SQLException failure) {
      if (FOREIGN_KEY_VIOLATION.equals(failure.getSQLState())) {
        throw Refusal.noSuchUser(userId);
      }
      throw failure;
    }
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
                  List.of(Json.read(rows.getString("items"), Order.Item[].class)),
                  rows.getBigDecimal("total_amount"),
                  Order.Status.of(rows.getString("status")),
                  rows.getString("cancel_reason"),
                  rows.getObject("created_at", OffsetDateTime.class).toInstant(),
                  rows.getObject("updated_at", OffsetDateTime.class).toInstant(),
                  rows.getString("revision")));
        }
      }
      return orders;
    }
  }
}
