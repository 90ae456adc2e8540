package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Node;
import dev.waymark.WaymarkConfig;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;
import org.postgresql.replication.LogSequenceNumber;
import org.postgresql.replication.PGReplicationStream;

/**
 * One attempt to follow a shard on one server: a connection for statements and one that the server
 * sends its changes on. Two threads share it: whichever fails ends it for both.
 */
final class ChangeSession implements AutoCloseable {
  static final String APPLICATION = "waymark-changes";

  /** The oldest release whose pgoutput sends messages, by which marks are told. */
  private static final int OLDEST_VERSION = 140_000;

  /** "waym" in ASCII: the first half of the advisory lock's number, the slot's name the other. */
  private static final int LOCK = 0x7761796D;

  private final Node node;
  private final WaymarkConfig config;
  private final Duration timeout;

  /** Set before the other thread starts, and by {@link #end} of any thread. */
  private volatile @Nullable Connection statements;

  private volatile @Nullable Connection replication;

  private volatile @Nullable PGReplicationStream stream;
  private volatile @Nullable Exception failure;
  private volatile boolean ended;
  private int version;
  private String id = "";

  ChangeSession(Node node, WaymarkConfig config) {
    this.node = node;
    this.config = config;
    this.timeout = config.changes().timeout();
  }

  Node node() {
    return node;
  }

  /** Names this session among all there ever are on this server. */
  String id() {
    return id;
  }

  int version() {
    return version;
  }

  /**
   * Connects for statements.
   *
   * @throws ChangesRefusedException if this server will not let its changes be followed
   */
  Look open(LongSupplier nanoClock) throws SQLException, ChangesRefusedException {
    Connection opened = connect(new Properties());
    statements = opened;
    failIfEnded(opened);
    set("statement_timeout", timeout.toMillis());
    // By a statement: the URL may say otherwise, and the others are counted by it.
    try (Statement statement = opened.createStatement()) {
      statement.execute("SET application_name = '" + APPLICATION + "'");
    }
    Look look = Look.at(opened, nanoClock);
    check(opened);
    // A process whose machine is gone, or that hangs, must not keep the others out for longer.
    set("idle_session_timeout", 2 * timeout.toMillis());
    try {
      set("client_connection_check_interval", Math.min(timeout.toMillis(), 2_000));
      set("tcp_user_timeout", timeout.toMillis());
    } catch (SQLException notThere) {
      // The server's platform cannot do it. The idle time-out is left, and comes later.
    }
    return look;
  }

  private void set(String setting, long millis) throws SQLException {
    try (Statement statement = statements().createStatement()) {
      statement.execute("SET " + setting + " = " + millis);
    }
  }

  /**
   * Lets a statement take as long as it needs; {@link #end} of another thread still ends it.
   *
   * <p>A new slot waits for every transaction that is running. Were it given up after a while and
   * begun again, it might never be made on a server with long transactions.
   */
  <T> T withoutTimeout(Patient<T> work) throws SQLException {
    Connection connection = statements();
    set("statement_timeout", 0);
    connection.setNetworkTimeout(Runnable::run, 0);
    T result = work.run(connection);
    connection.setNetworkTimeout(
        Runnable::run, (int) Math.min(timeout.toMillis(), Integer.MAX_VALUE));
    set("statement_timeout", timeout.toMillis());
    return result;
  }

  /** What may take long. */
  interface Patient<T> {
    T run(Connection connection) throws SQLException;
  }

  private void check(Connection connection) throws SQLException, ChangesRefusedException {
    try (PreparedStatement statement =
            connection.prepareStatement(
                """
                SELECT current_setting('server_version_num')::int, current_setting('wal_level'),
                       (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user)
                         OR EXISTS (SELECT FROM pg_roles
                                    WHERE rolname IN ('rds_replication', 'cloudsqlreplica')
                                      AND pg_has_role(current_user, oid, 'MEMBER')),
                       pid || '@' || extract(epoch FROM backend_start), current_user
                FROM pg_stat_activity WHERE pid = pg_backend_pid()
                """);
        ResultSet answer = statement.executeQuery()) {
      answer.next();
      version = answer.getInt(1);
      if (version < OLDEST_VERSION) {
        throw new ChangesRefusedException(
            "the server is older than PostgreSQL 14; upgrade it, or leave changes.enabled off");
      }
      if (!"logical".equals(answer.getString(2))) {
        throw new ChangesRefusedException(
            "wal_level is "
                + answer.getString(2)
                + " there; set wal_level = logical on every node of the shard and restart it, or"
                + " leave changes.enabled off");
      }
      if (!answer.getBoolean(3)) {
        throw new ChangesRefusedException(
            "user "
                + answer.getString(5)
                + " may not replicate; run ALTER ROLE "
                + answer.getString(5)
                + " REPLICATION on the primary, or leave changes.enabled off");
      }
      id = answer.getString(4);
    }
  }

  /** Tries to be the one of all processes that follows this shard. */
  boolean tryLock(String slot) throws SQLException {
    try (PreparedStatement statement =
        statements().prepareStatement("SELECT pg_try_advisory_lock(?, hashtext(?))")) {
      statement.setInt(1, LOCK);
      statement.setString(2, slot);
      try (ResultSet answer = statement.executeQuery()) {
        answer.next();
        return answer.getBoolean(1);
      }
    }
  }

  /** How many processes do what this one does, itself included. */
  int countOthers() throws SQLException {
    try (PreparedStatement statement =
        statements()
            .prepareStatement("SELECT count(*) FROM pg_stat_activity WHERE application_name = ?")) {
      statement.setString(1, APPLICATION);
      try (ResultSet answer = statement.executeQuery()) {
        answer.next();
        return Math.max(1, answer.getInt(1));
      }
    }
  }

  /** Connects to a walsender. */
  Connection openReplication() throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("replication", "database");
    properties.setProperty("assumeMinServerVersion", "14");
    properties.setProperty("preferQueryMode", "simple");
    Connection opened = connect(properties);
    replication = opened;
    failIfEnded(opened);
    try (Statement statement = opened.createStatement()) {
      statement.execute("SET wal_sender_timeout = " + timeout.toMillis());
    }
    return opened;
  }

  /** Where the server's timeline left the one before; 0 if there was none before. */
  long startOfTimeline(Look look) throws SQLException {
    int timeline = look.position().timeline();
    if (timeline == 1) {
      return 0;
    }
    try (Statement statement = replication().createStatement();
        ResultSet answer = statement.executeQuery("TIMELINE_HISTORY " + timeline)) {
      answer.next();
      String content = new String(answer.getBytes(2), StandardCharsets.UTF_8);
      long start = 0;
      for (String line : content.split("\n")) {
        String[] fields = line.trim().split("\\s+");
        // A line for each timeline before: its number, where it was left, and why.
        if (fields.length >= 2 && fields[0].matches("[0-9]+")) {
          start = LogPosition.parseLsn(fields[1]);
        }
      }
      return start;
    }
  }

  /** Has the server send what was committed and not confirmed yet. */
  PGReplicationStream start(String slot, Publication publication) throws SQLException {
    Connection connection = replication();
    // Waiting for changes has no end of its own: the marks tell whether the server is alive.
    connection.setNetworkTimeout(Runnable::run, 0);
    PGReplicationStream started =
        connection
            .unwrap(PGConnection.class)
            .getReplicationAPI()
            .replicationStream()
            .logical()
            .withSlotName(slot)
            .withStartPosition(LogSequenceNumber.INVALID_LSN)
            .withSlotOption("proto_version", 1)
            .withSlotOption("publication_names", publication.quoted())
            .withSlotOption("messages", true)
            // By the driver's own timer a message that comes in two parts could be torn apart: it
            // interrupts its reading to send. We send after what we receive.
            .withStatusInterval(0, TimeUnit.MILLISECONDS)
            .withAutomaticFlush(false)
            .start();
    stream = started;
    return started;
  }

  /** What the server has sent so far, by its own account; 0 before it was asked to. */
  long receivedLsn() {
    PGReplicationStream running = stream;
    return running == null ? 0 : running.getLastReceiveLSN().asLong();
  }

  /** Keeps the server from taking this session for an abandoned one. */
  void ping() throws SQLException {
    try (Statement statement = statements().createStatement()) {
      statement.execute("SELECT 1");
    }
  }

  Connection statements() throws SQLException {
    return open(statements);
  }

  private Connection replication() throws SQLException {
    return open(replication);
  }

  private static Connection open(@Nullable Connection connection) throws SQLException {
    if (connection == null) {
      throw new SQLException("The connection is not open", "08003");
    }
    return connection;
  }

  private Connection connect(Properties more) throws SQLException {
    Properties properties =
        NodeConnections.driverProperties(
            config.credentials(), config.pool().connectTimeout(), timeout);
    properties.setProperty("ApplicationName", APPLICATION);
    properties.putAll(more);
    Connection opened = DriverManager.getConnection(node.url(), properties);
    opened.setNetworkTimeout(Runnable::run, (int) Math.min(timeout.toMillis(), Integer.MAX_VALUE));
    return opened;
  }

  private void failIfEnded(Connection opened) throws SQLException {
    if (ended) {
      opened.abort(Runnable::run);
      throw new SQLException("The stream was ended", "57014");
    }
  }

  /** Ends the session because of a failure; the first one counts. */
  void fail(Exception cause) {
    synchronized (this) {
      if (failure == null) {
        failure = cause;
      }
    }
    end();
  }

  /** Why another thread has ended the session; null if none has. */
  @Nullable Exception failure() {
    return failure;
  }

  /** Cuts both connections, whatever they are waiting for. */
  void end() {
    ended = true;
    abort(replication);
    abort(statements);
  }

  boolean hasEnded() {
    return ended;
  }

  private static void abort(@Nullable Connection connection) {
    if (connection != null) {
      try {
        connection.abort(Runnable::run);
      } catch (SQLException alreadyGone) {
        // That is what was wanted.
      }
    }
  }

  @Override
  public void close() {
    end();
  }
}
