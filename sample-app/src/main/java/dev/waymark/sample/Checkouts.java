package dev.waymark.sample;

import dev.waymark.Consistency;
import dev.waymark.Transaction;
import dev.waymark.routing.ShardedDatabase;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checkouts: an order on its buyer's shard that is paid on another one, without a transaction over
 * both.
 *
 * <p>A checkout is a row beside the order, written in the same transaction, and a task for {@link
 * Workers}, in that transaction too. It goes from {@code paying} to {@code confirmed}; or, if it is
 * not paid in time, declined, or there is no such order any more, to {@code refunding} and then to
 * {@code cancelled}. Each step is repeatable: the payment is asked for under the checkout's own id,
 * and the row moves on only from the state that the step was made for, under its lock. So a step
 * may be done twice, by two processes at once, or by one that was frozen for hours, and any may be
 * a process' last.
 *
 * <p><b>What holds.</b> A checkout ends. If confirmed, its order is confirmed and exactly one
 * payment was taken; if cancelled, its order is cancelled or gone, and none was kept: not even one
 * that was still on its way, since giving up calls the payment off where payments are decided.
 *
 * <p>That is as far as commits last. A promotion to a replica that had not got them all loses the
 * last ones of its shard, and the other shard's stay: a payment may then lack its order, or an
 * order its payment. Where that must not be, replicate synchronously. Thread-safe.
 */
final class Checkouts {
  private static final Logger log = LoggerFactory.getLogger(Checkouts.class);

  private final ShardedDatabase database;
  private final Orders orders;
  private final PaymentService payments;
  private final Workers workers;
  private final Duration patience;

  /**
   * Checkouts.
   *
   * @param patience how long a payment may take; a checkout that is not paid by then is cancelled
   */
  Checkouts(
      ShardedDatabase database,
      Orders orders,
      PaymentService payments,
      Workers workers,
      Duration patience) {
    this.database = database;
    this.orders = orders;
    this.payments = payments;
    this.workers = workers;
    this.patience = patience;
  }

  /** Why a checkout was cancelled. */
  enum Reason {
    /** There was not enough money. */
    DECLINED,
    /** The payment service has not answered in time. */
    UNAVAILABLE,
    /** The order is gone, with its user. */
    ORDER_GONE;

    /** As clients and the database have it. */
    String word() {
      return name().toLowerCase(Locale.ROOT);
    }

    private static Reason of(String word) {
      return valueOf(word.toUpperCase(Locale.ROOT));
    }
  }

  /** How far one is. */
  private enum State {
    PAYING,
    REFUNDING,
    CONFIRMED,
    CANCELLED;

    private String word() {
      return name().toLowerCase(Locale.ROOT);
    }

    private static State of(String word) {
      return valueOf(word.toUpperCase(Locale.ROOT));
    }
  }

  private record Checkout(
      long userId,
      UUID id,
      long orderId,
      BigDecimal amount,
      State state,
      @Nullable Reason reason,
      boolean isOverdue) {}

  /**
   * Creates an order that is then paid, by this process or another. Returns at once.
   *
   * @param request what makes it repeatable; null if it is not
   * @throws Refusal if there is no such user
   */
  Answered<Order> begin(long userId, List<Order.Item> items, Idempotency.@Nullable Request request)
      throws SQLException {
    return orders.create(userId, items, request, Order.Status.PENDING, this::begin);
  }

  private void begin(Transaction transaction, Order order) throws SQLException {
    UUID id = UUID.randomUUID();
    try (PreparedStatement insert =
        transaction
            .connection()
            .prepareStatement(
                "INSERT INTO checkouts (user_id, id, order_id, amount, state)"
                    + " VALUES (?, ?, ?, ?, 'paying')")) {
      insert.setLong(1, order.userId());
      insert.setObject(2, id);
      insert.setLong(3, order.id());
      insert.setBigDecimal(4, order.totalAmount());
      insert.executeUpdate();
    }
    workers.schedule(transaction, order.userId(), id);
  }

  /**
   * Brings a checkout to its end, from wherever it is.
   *
   * @throws SQLException or a {@link dev.waymark.WaymarkException} if a step's outcome is not
   *     known; to be called again then
   */
  void carryOn(long userId, UUID id) throws SQLException {
    while (true) {
      Checkout checkout =
          database.read(
              userId, Consistency.strong(), connection -> select(connection, userId, id, ""));
      switch (checkout.state()) {
        case PAYING -> pay(checkout);
        case REFUNDING -> refund(checkout);
        case CONFIRMED, CANCELLED -> {
          return;
        }
      }
    }
  }

  private void pay(Checkout checkout) throws SQLException {
    if (checkout.isOverdue()) {
      turnBack(checkout, Reason.UNAVAILABLE);
      return;
    }
    switch (payments.pay(checkout.id(), checkout.userId(), checkout.amount())) {
      case PAID -> confirm(checkout);
      case DECLINED -> turnBack(checkout, Reason.DECLINED);
      // Somebody was faster, and is in the middle of cancelling it; or it is already.
      case CALLED_OFF -> turnBack(checkout, Reason.UNAVAILABLE);
    }
  }

  private void confirm(Checkout checkout) throws SQLException {
    database.write(
        checkout.userId(),
        connection -> {
          if (!isStill(connection, checkout)) {
            return false;
          }
          if (endOrder(connection, checkout, Order.Status.CONFIRMED, null)) {
            become(connection, checkout, State.CONFIRMED, null);
            Outbox.add(
                connection,
                Event.Type.ORDER_CONFIRMED,
                checkout.userId(),
                Map.of("order_id", checkout.orderId(), "amount", checkout.amount()));
          } else {
            become(connection, checkout, State.REFUNDING, Reason.ORDER_GONE);
          }
          return true;
        });
  }

  private void turnBack(Checkout checkout, Reason reason) throws SQLException {
    database.write(
        checkout.userId(),
        connection -> {
          if (!isStill(connection, checkout)) {
            return false;
          }
          become(connection, checkout, State.REFUNDING, reason);
          Outbox.add(
              connection,
              Event.Type.PAYMENT_FAILED,
              checkout.userId(),
              Map.of("order_id", checkout.orderId(), "reason", reason.word()));
          return true;
        });
  }

  /** The compensation: it must succeed, however long that takes. */
  private void refund(Checkout checkout) throws SQLException {
    payments.callOff(checkout.id(), checkout.userId(), checkout.amount());
    database.write(
        checkout.userId(),
        connection -> {
          if (!isStill(connection, checkout)) {
            return false;
          }
          if (!endOrder(connection, checkout, Order.Status.CANCELLED, checkout.reason())) {
            // No ids of users in the log: they may be personal data.
            log.info(
                "The order of checkout {} went before that ended; nothing was kept of its price",
                checkout.id());
          }
          become(connection, checkout, State.CANCELLED, checkout.reason());
          return true;
        });
  }

  // ---- the statements --------------------------------------------------------------------------

  private Checkout select(Connection connection, long userId, UUID id, String lock)
      throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT order_id, amount, state, reason, began_at < now() - make_interval(secs => ?)"
                + " FROM checkouts WHERE user_id = ? AND id = ?"
                + lock)) {
      select.setDouble(1, patience.toMillis() / 1e3);
      select.setLong(2, userId);
      select.setObject(3, id);
      try (ResultSet row = select.executeQuery()) {
        if (!row.next()) {
          // The task was written with it, and nobody removes one.
          throw new IllegalStateException("There is no checkout " + id);
        }
        String reason = row.getString(4);
        return new Checkout(
            userId,
            id,
            row.getLong(1),
            row.getBigDecimal(2),
            State.of(row.getString(3)),
            reason == null ? null : Reason.of(reason),
            row.getBoolean(5));
      }
    }
  }

  /** Locks the checkout; false if somebody else has moved it on. */
  private boolean isStill(Connection connection, Checkout checkout) throws SQLException {
    return select(connection, checkout.userId(), checkout.id(), " FOR UPDATE").state()
        == checkout.state();
  }

  private static void become(
      Connection connection, Checkout checkout, State state, @Nullable Reason reason)
      throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE checkouts SET state = ?, reason = ? WHERE user_id = ? AND id = ?")) {
      update.setString(1, state.word());
      update.setString(2, reason == null ? null : reason.word());
      update.setLong(3, checkout.userId());
      update.setObject(4, checkout.id());
      update.executeUpdate();
    }
  }

  /** Whether the order was there. */
  private static boolean endOrder(
      Connection connection, Checkout checkout, Order.Status status, @Nullable Reason reason)
      throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            """
            UPDATE orders SET status = ?, cancel_reason = ?
            WHERE user_id = ? AND id = ? AND status = 'pending'
            """)) {
      update.setString(1, status.word());
      update.setString(2, reason == null ? null : reason.word());
      update.setLong(3, checkout.userId());
      update.setLong(4, checkout.orderId());
      return update.executeUpdate() == 1;
    }
  }
}
