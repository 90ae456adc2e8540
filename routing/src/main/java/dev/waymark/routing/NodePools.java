package dev.waymark.routing;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import com.zaxxer.hikari.HikariPoolMXBean;
import dev.waymark.Credentials;
import dev.waymark.Node;
import dev.waymark.WaymarkConfig;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.TransactionState;

/**
 * The connection pools of one node: one for reads, whose sessions refuse to write, and one for
 * writes, opened when the node first takes one. Two pools, so that neither kind of work can starve
 * the other, and a read that strays to the primary is as read-only there as on a replica. Safe to
 * share.
 */
final class NodePools implements AutoCloseable {
  private final Node node;
  private final WaymarkConfig config;
  private final ReentrantLock opening = new ReentrantLock();
  private volatile @Nullable HikariDataSource reads;
  private volatile @Nullable HikariDataSource writes;
  private boolean closed;

  NodePools(Node node, WaymarkConfig config) {
    this.node = node;
    this.config = config;
  }

  Connection forReading() throws SQLException {
    HikariDataSource pool = reads;
    return (pool != null ? pool : openReads()).getConnection();
  }

  /** A connection with auto-commit off: a transaction begins with its first statement. */
  Connection forWriting() throws SQLException {
    HikariDataSource pool = writes;
    Connection connection = (pool != null ? pool : openWrites()).getConnection();
    try {
      connection.setAutoCommit(false);
      return connection;
    } catch (SQLException failure) {
      connection.close();
      throw failure;
    }
  }

  /**
   * Returns a connection. A transaction that the work began by a statement of its own is rolled
   * back: the pool does so only with auto-commit off, and whoever comes next would be inside it.
   */
  static void giveBack(Connection connection) {
    try (connection) {
      endOwnTransaction(connection);
    } catch (SQLException broken) {
      // The pool discards it; what the call itself met has been told already.
    }
  }

  static void endOwnTransaction(Connection connection) throws SQLException {
    if (!connection.isClosed()
        && connection.unwrap(BaseConnection.class).getTransactionState() != TransactionState.IDLE) {
      try (Statement statement = connection.createStatement()) {
        statement.execute("ROLLBACK");
      }
    }
  }

  /** Lets go of every connection: those in use when they come back, the others at once. */
  void evict() {
    for (HikariDataSource pool : new HikariDataSource[] {reads, writes}) {
      if (pool != null && pool.getHikariPoolMXBean() != null) {
        pool.getHikariPoolMXBean().softEvictConnections();
      }
    }
  }

  /** How busy the pools are, for the end of an error. */
  String describe() {
    return "for reads " + describe(reads) + ", for writes " + describe(writes);
  }

  private static String describe(@Nullable HikariDataSource pool) {
    HikariPoolMXBean state = pool == null ? null : pool.getHikariPoolMXBean();
    return state == null
        ? "(none yet)"
        : "(active="
            + state.getActiveConnections()
            + ", idle="
            + state.getIdleConnections()
            + ", waiting="
            + state.getThreadsAwaitingConnection()
            + ")";
  }

  @Override
  public void close() {
    opening.lock();
    try {
      closed = true;
      for (HikariDataSource pool : new HikariDataSource[] {reads, writes}) {
        if (pool != null) {
          pool.close();
        }
      }
    } finally {
      opening.unlock();
    }
  }

  private HikariDataSource openReads() {
    opening.lock();
    try {
      HikariDataSource pool = reads;
      if (pool == null) {
        // As statements and not as driver properties, which a URL's own options would override. The
        // server gives up a little after the caller has: a forgotten read would go on to hold its
        // snapshot, and a replica's replay with it.
        long patience = config.calls().deadline().toMillis() + 1_000;
        reads =
            pool =
                open(
                    "reads",
                    "SET default_transaction_read_only = on; SET statement_timeout = " + patience);
      }
      return pool;
    } finally {
      opening.unlock();
    }
  }

  private HikariDataSource openWrites() {
    opening.lock();
    try {
      HikariDataSource pool = writes;
      if (pool == null) {
        writes = pool = open("writes", null);
      }
      return pool;
    } finally {
      opening.unlock();
    }
  }

  private HikariDataSource open(String use, @Nullable String firstStatement) {
    if (closed) {
      throw new IllegalStateException("The database is closed");
    }
    HikariConfig hikari = new HikariConfig();
    hikari.setPoolName("waymark-" + node.name() + "-" + use);
    hikari.setJdbcUrl(node.url());
    hikari.setDataSourceProperties(
        driverProperties(
            config.credentials(), config.pool().connectTimeout(), config.calls().deadline()));
    hikari.setMaximumPoolSize(config.pool().size());
    hikari.setMinimumIdle(1);
    hikari.setConnectionTimeout(config.pool().acquireTimeout().toMillis());
    hikari.setValidationTimeout(config.pool().connectTimeout().toMillis());
    // A node may be down when its pool opens; it is then simply not chosen.
    hikari.setInitializationFailTimeout(-1);
    hikari.setConnectionInitSql(firstStatement);
    return new HikariDataSource(hikari);
  }

  /** What the driver is told, beside the URL's own parameters, which win. */
  static Properties driverProperties(
      Credentials credentials, Duration connectTimeout, Duration answerTimeout) {
    Properties properties = new Properties();
    properties.setProperty("user", credentials.user());
    properties.setProperty("password", credentials.password());
    properties.setProperty("ApplicationName", "waymark");
    properties.setProperty("tcpKeepAlive", "true");
    properties.setProperty("connectTimeout", wholeSeconds(connectTimeout));
    properties.setProperty("socketTimeout", wholeSeconds(answerTimeout));
    return properties;
  }

  /** The driver counts in seconds, and takes zero for no limit at all. */
  private static String wholeSeconds(Duration duration) {
    return Long.toString(Math.max(1, (duration.toMillis() + 999) / 1000));
  }
}
