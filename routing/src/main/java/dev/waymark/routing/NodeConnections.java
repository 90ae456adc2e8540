package dev.waymark.routing;

import dev.waymark.Credentials;
import dev.waymark.Node;
import dev.waymark.Role;
import dev.waymark.WaymarkConfig;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Opens the connections of one pool, and has each of them tell its node's role and position before
 * anybody uses it: a server that has been restarted, at an earlier place or in another role, is
 * known as such before it answers.
 */
final class NodeConnections implements javax.sql.DataSource {
  /** What a pool's connections are for. */
  enum Use {
    READS,
    WRITES
  }

  /** Told what a new connection's node said. */
  interface Observer {
    /**
     * @throws SQLException if the connection must not be used
     */
    void saw(Look look) throws SQLException;
  }

  private final Node node;
  private final Use use;
  private final WaymarkConfig config;
  private final LongSupplier nanoClock;
  private final Observer observer;

  NodeConnections(
      Node node, Use use, WaymarkConfig config, LongSupplier nanoClock, Observer observer) {
    this.node = node;
    this.use = use;
    this.config = config;
    this.nanoClock = nanoClock;
    this.observer = observer;
  }

  @Override
  public Connection getConnection() throws SQLException {
    Connection connection =
        DriverManager.getConnection(
            node.url(),
            driverProperties(
                config.credentials(),
                config.pool().connectTimeout(),
                config.pool().connectTimeout()));
    try {
      prepare(connection);
      return connection;
    } catch (SQLException | RuntimeException failure) {
      try {
        connection.close();
      } catch (SQLException alsoClosing) {
        failure.addSuppressed(alsoClosing);
      }
      throw failure;
    }
  }

  private void prepare(Connection connection) throws SQLException {
    if (use == Use.READS) {
      // Statements and not driver properties, which a URL's own options would override. The server
      // gives up a little after the caller has: a forgotten read would go on to hold its snapshot,
      // and a replica's replay with it.
      try (Statement statement = connection.createStatement()) {
        statement.execute("SET default_transaction_read_only = on; " + statementTimeout(0));
      }
    }
    Look look = Look.at(connection, nanoClock);
    observer.saw(look);
    if (use == Use.WRITES && look.role() != Role.PRIMARY) {
      throw new SQLException(node + " is not the primary any more", "08004");
    }
    setAnswerTimeout(connection, 0);
  }

  /**
   * Gives a connection more time than {@code calls.deadline} for each answer, and the server for
   * each statement; one round trip.
   */
  void makePatient(Connection connection, long longerByNanos) throws SQLException {
    long more = TimeUnit.NANOSECONDS.toMillis(longerByNanos) + 1;
    setAnswerTimeout(connection, more);
    setStatementTimeout(connection, more);
  }

  /** The opposite of {@link #makePatient}; one round trip. */
  void makeUsual(Connection connection) throws SQLException {
    setStatementTimeout(connection, 0);
    setAnswerTimeout(connection, 0);
  }

  private void setStatementTimeout(Connection connection, long moreMillis) throws SQLException {
    if (use == Use.READS) {
      try (Statement statement = connection.createStatement()) {
        statement.execute(statementTimeout(moreMillis));
      }
    }
  }

  private String statementTimeout(long moreMillis) {
    return "SET statement_timeout = " + atMost(moreMillis, 1_000);
  }

  /** In milliseconds; the driver's own setting knows whole seconds only. */
  private void setAnswerTimeout(Connection connection, long moreMillis) throws SQLException {
    connection.setNetworkTimeout(Runnable::run, atMost(moreMillis, 500));
  }

  /** The deadline and some time, as far as both server and driver can count milliseconds. */
  private int atMost(long moreMillis, long graceMillis) {
    long deadline = config.calls().deadline().toMillis();
    return (int) Math.min(deadline + moreMillis + graceMillis, Integer.MAX_VALUE);
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
    properties.setProperty("loginTimeout", wholeSeconds(connectTimeout));
    properties.setProperty("socketTimeout", wholeSeconds(answerTimeout));
    // A server that hangs is asked to cancel by the thread that has waited long enough already.
    properties.setProperty("cancelSignalTimeout", "1");
    return properties;
  }

  /** The driver counts in seconds, and takes zero for no limit at all. */
  private static String wholeSeconds(Duration duration) {
    return Long.toString(Math.max(1, (duration.toMillis() + 999) / 1000));
  }

  @Override
  public Connection getConnection(String user, String password) throws SQLException {
    throw new SQLFeatureNotSupportedException("The user is part of the configuration", "0A000");
  }

  @Override
  public @Nullable PrintWriter getLogWriter() {
    return null;
  }

  @Override
  public void setLogWriter(@Nullable PrintWriter out) {
    // HikariCP passes on what it was given; everything is logged through SLF4J.
  }

  @Override
  public void setLoginTimeout(int seconds) {
    // HikariCP derives it from its own patience, which is a slice of a call's; the log-in is bound
    // by pool.connectTimeout.
  }

  @Override
  public int getLoginTimeout() {
    return 0;
  }

  @Override
  public Logger getParentLogger() throws SQLFeatureNotSupportedException {
    throw new SQLFeatureNotSupportedException("Logging goes through SLF4J", "0A000");
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    throw new SQLException("Not a wrapper for " + type.getName());
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return false;
  }
}
