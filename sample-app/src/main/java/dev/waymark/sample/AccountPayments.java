package dev.waymark.sample;

import dev.waymark.routing.ShardedDatabase;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTransientException;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Payments from accounts of our own, each on the shard that the hash of its owner leads to, so as a
 * rule not on its owner's. It stands for a payment service elsewhere: nothing but its two methods
 * is known to the rest.
 *
 * <p>A payment and the change of the balance are one transaction. What became of it is one row,
 * unique by the payment's id: whoever comes second waits for the first, and reads its answer.
 * Thread-safe.
 */
final class AccountPayments implements PaymentService {
  /**
   * How many may wait for one shard at a time; {@link Workers} have more threads for each. A shard
   * that hangs takes their deadline from these, and the others go on with payments elsewhere.
   */
  static final int MOST_AT_ONCE = 2;

  /** Payments take a few milliseconds: a turn that does not come in this time is not soon. */
  private static final Duration LONGEST_WAIT = Duration.ofMillis(200);

  private final ShardedDatabase database;
  private final HashRing.Source ring;
  private final BigDecimal openingBalance;

  /** Who may ask, by the name of the shard that is asked. */
  private final Map<String, Semaphore> turns = new ConcurrentHashMap<>();

  /**
   * Payments.
   *
   * @param openingBalance what an account holds when it is first used
   */
  AccountPayments(ShardedDatabase database, HashRing.Source ring, BigDecimal openingBalance) {
    this.database = database;
    this.ring = ring;
    this.openingBalance = openingBalance;
  }

  private record Payment(long slot, UUID id, long userId, BigDecimal amount) {}

  /** The key of a user's account. */
  long slotOf(long userId) throws SQLException {
    return ring.get().keyOf("account:" + userId);
  }

  @Override
  public Answer pay(UUID id, long userId, BigDecimal amount) throws SQLException {
    Payment payment = new Payment(slotOf(userId), id, userId, amount);
    return inTurn(
        payment,
        connection -> {
          if (insert(connection, payment, "declined") && take(connection, payment)) {
            become(connection, payment, "paid");
          }
          String state = lock(connection, payment);
          return switch (state) {
            case "paid" -> Answer.PAID;
            case "declined" -> Answer.DECLINED;
            default -> Answer.CALLED_OFF;
          };
        });
  }

  @Override
  public void callOff(UUID id, long userId, BigDecimal amount) throws SQLException {
    Payment payment = new Payment(slotOf(userId), id, userId, amount);
    inTurn(
        payment,
        connection -> {
          // A row of its own where there is none: the payment may still be on its way.
          if (!insert(connection, payment, "void") && lock(connection, payment).equals("paid")) {
            change(connection, payment, payment.amount());
            become(connection, payment, "refunded");
          }
          return true;
        });
  }

  private interface Deed<T> {
    T on(Connection connection) throws SQLException;
  }

  /**
   * Does something where a payment is decided.
   *
   * @throws SQLTransientException if enough others wait for that shard; nothing was asked of it
   */
  private <T> T inTurn(Payment payment, Deed<T> deed) throws SQLException {
    String shard = database.map().shardFor(payment.slot()).name();
    Semaphore turn = turns.computeIfAbsent(shard, any -> new Semaphore(MOST_AT_ONCE));
    try {
      if (!turn.tryAcquire(LONGEST_WAIT.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new SQLTransientException(
            MOST_AT_ONCE + " payments wait for shard " + shard + " already");
      }
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
      throw new SQLTransientException("Interrupted while others paid at shard " + shard, ended);
    }
    try {
      return database.write(payment.slot(), deed::on);
    } finally {
      turn.release();
    }
  }

  /** Waits for another transaction that decides on the same payment. */
  private static boolean insert(Connection connection, Payment payment, String state)
      throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            """
            INSERT INTO payments (slot, id, user_id, amount, state) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (slot, id) DO NOTHING
            """)) {
      insert.setLong(1, payment.slot());
      insert.setObject(2, payment.id());
      insert.setLong(3, payment.userId());
      insert.setBigDecimal(4, payment.amount());
      insert.setString(5, state);
      return insert.executeUpdate() == 1;
    }
  }

  private boolean take(Connection connection, Payment payment) throws SQLException {
    try (PreparedStatement open =
        connection.prepareStatement(
            """
            INSERT INTO accounts (slot, user_id, balance) VALUES (?, ?, ?)
            ON CONFLICT (slot, user_id) DO NOTHING
            """)) {
      open.setLong(1, payment.slot());
      open.setLong(2, payment.userId());
      open.setBigDecimal(3, openingBalance);
      open.executeUpdate();
    }
    return change(connection, payment, payment.amount().negate());
  }

  /** Whether the balance allows it. */
  private static boolean change(Connection connection, Payment payment, BigDecimal by)
      throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            """
            UPDATE accounts SET balance = balance + ?
            WHERE slot = ? AND user_id = ? AND balance + ? >= 0
            """)) {
      update.setBigDecimal(1, by);
      update.setLong(2, payment.slot());
      update.setLong(3, payment.userId());
      update.setBigDecimal(4, by);
      return update.executeUpdate() == 1;
    }
  }

  private static String lock(Connection connection, Payment payment) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT state FROM payments WHERE slot = ? AND id = ? FOR UPDATE")) {
      select.setLong(1, payment.slot());
      select.setObject(2, payment.id());
      try (ResultSet row = select.executeQuery()) {
        row.next();
        return row.getString(1);
      }
    }
  }

  private static void become(Connection connection, Payment payment, String state)
      throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            """
            UPDATE payments SET state = ?, decided_at = clock_timestamp()
            WHERE slot = ? AND id = ?
            """)) {
      update.setString(1, state);
      update.setLong(2, payment.slot());
      update.setObject(3, payment.id());
      update.executeUpdate();
    }
  }
}
